"""The Pulumi program of mpr-storage and its command line, `python -m infra <command>`."""
