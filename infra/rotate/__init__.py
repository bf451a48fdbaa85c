"""The rotation of access keys without a failed request: `python -m infra rotate`, docs/how-to/rotation.md."""
