"""Show what exists of environments: `python -m infra status`, docs/how-to/commands.md."""
