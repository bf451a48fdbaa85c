"""Who may read and change the env file that S3_ENV_FILE names."""

from __future__ import annotations

import os
import shlex
import stat
from typing import Literal

_OTHERS = 0o077
_WRITERS = 0o022

Status = Literal["ok", "warning", "failed"]


def judged(path: str) -> tuple[Status, str]:
    """What is to be said of the file, and how bad it is.

    A file of our own that others may read fails: one command mends it. On a read-only mount, such as a Secret of
    Kubernetes (root's, 0644 or 0440), nobody here could mend anything, and nothing is wrong. A file of somebody
    else's is a warning: who starts containers is often somebody else.

    Raises:
        OSError: there is no such file, or it cannot be reached.
    """
    found = os.stat(path)  # of what links lead to: Kubernetes mounts links
    mode, me = stat.S_IMODE(found.st_mode), os.geteuid()
    shown, quoted = f"{path} (mode {mode:04o})", shlex.quote(path)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "ok", f"{shown} is on a read-only mount: who may read it is decided where it is mounted"
    if found.st_uid != me:
        return "failed" if mode & _WRITERS else "warning", (
            f"{shown} belongs to user {found.st_uid}, and this is user {me}: whoever can change it decides where "
            f"data goes; mount it read-only, or run as root: chown {me} {quoted} && chmod 600 {quoted}"
        )
    if mode & _OTHERS:
        return "failed", f"others than its owner may read {shown}, and with it the keys; run: chmod 600 {quoted}"
    return "ok", f"only its owner may read {shown}"
