"""`python -m infra`: the command line."""

from __future__ import annotations

from infra.cli import main

if __name__ == "__main__":
    main()
