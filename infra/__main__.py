"""`python -m infra`: the command line."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from infra.cli import main

        main()
    except KeyboardInterrupt:  # while the modules were still loading
        sys.exit(130)
