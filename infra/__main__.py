"""`python -m infra`: the command line.

Keep this file free of syntax that older Pythons lack: it says which version is required.
"""

import sys

#: The modules that the requirements of `infra` install, under the names that `import` takes.
REQUIRED = ("boto3", "botocore", "click", "minio", "pulumi", "rich", "ruamel", "yaml")

_TOO_OLD = (
    "error: python -m infra needs Python 3.11 or newer, and this is Python {version}: run "
    "`make up PYTHON=python3.12` with the name of a newer Python, then use `.venv/bin/python -m infra`\n"
)
_MISSING = (
    "error: python -m infra needs the module {module}, which {python} does not have: use "
    "`.venv/bin/python -m infra`, whose requirements `make up` installs, or install them into this Python with "
    "`pip install '.[local]'`\n"
)


def _stop(message: str) -> None:
    sys.stderr.write(message)
    sys.exit(2)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  # only pip reads `requires-python`
        _stop(_TOO_OLD.format(version=sys.version.split()[0]))
    try:
        from infra.cli import main

        main()
    except KeyboardInterrupt:  # while the modules were still loading
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in REQUIRED:
            raise
        _stop(_MISSING.format(module=error.name, python=sys.executable))
