"""Proving what each identity may and may not do, with the env file that it was given."""
