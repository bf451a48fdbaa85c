"""Settings: env files, validation, the current settings, kinds of endpoints."""
