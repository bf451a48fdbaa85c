"""What there is of the environments: `python -m infra status`, docs/operating.md."""
