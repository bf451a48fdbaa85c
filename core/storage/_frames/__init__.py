"""The cache of a timeline's frames."""
