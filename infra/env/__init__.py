"""The env files of an environment: where they are, and how they are written, read and removed."""
