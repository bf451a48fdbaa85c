"""How the user calls the commands, for messages that name one."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path


def _name() -> str:
    script = os.environ.get("MPR_COMMAND")  # set by the script `mpr`
    if not script:
        return "python -m infra"
    name = Path(script).name
    return name if shutil.which(name) == script else shlex.quote(script)


#: `./mpr`, or as the user called that script; `python -m infra` without the script.
COMMAND = _name()
