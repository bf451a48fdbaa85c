"""The readiness check, `python -m core.storage check`."""
