"""What there is of the environments: `python -m infra status`, docs/how-to/operating.md."""
