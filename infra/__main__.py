"""`python -m infra`: the command line.

Keep this file free of syntax that older Pythons lack: it says which version is required.
"""

import os
import sys

#: The modules that the requirements of `infra` install, under the names that `import` takes.
REQUIRED = ("boto3", "botocore", "click", "cryptography", "minio", "pulumi", "rich", "ruamel", "yaml")

_TOO_OLD = (
    "error: python -m infra needs Python 3.11 or newer, and this is Python {version}: run "
    "`PYTHON=python3.12 ./mpr` with the name of a newer Python, which creates .venv with it, and use `./mpr` from "
    "then on\n"
)
_MISSING = (
    "error: python -m infra needs the module {module}, which {python} does not have: use `./mpr`, which runs the "
    "same commands in .venv and installs the requirements there, or install them into this Python with "
    "`pip install -r requirements/local.txt`\n"
)
_INCOMPLETE = (
    "error: {command} needs the module {module}, which {python} does not have: run `rm .venv/local` in the "
    "project's folder, then the same command, which installs the requirements again\n"
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
        command = os.environ.get("MPR_COMMAND")  # set by the script `mpr`
        message = _INCOMPLETE if command else _MISSING
        _stop(message.format(command=command, module=error.name, python=sys.executable))
