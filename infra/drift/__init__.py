"""The differences between an environment and its stack: `python -m infra drift`, docs/how-to/drift.md."""
