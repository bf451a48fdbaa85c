"""`python -m core.storage check`: whether this machine can use its store."""
