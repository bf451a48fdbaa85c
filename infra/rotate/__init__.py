"""Rotating keys without a failed request: `python -m infra rotate`, docs/operating.md."""
