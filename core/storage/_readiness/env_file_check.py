"""Check who may read and change the env file that S3_ENV_FILE names."""

from __future__ import annotations

import os
import shlex
import stat
from typing import Literal

Status = Literal["ok", "warning", "failed"]


def judged(path: str) -> tuple[Status, str]:
    """Return the status of the file, and a sentence about it.

    A file of this user that others may read fails: one command repairs it. On a read-only mount, such as a Secret
    of Kubernetes (root's, 0644 or 0440), this process can change nothing, and nothing is wrong. A file of another
    user is a warning, because containers are often started by another user than they run as.

    Raises:
        OSError: there is no such file, or it cannot be reached.
    """
    status = os.stat(path)  # of the target of a link: Kubernetes mounts links
    mode, user = stat.S_IMODE(status.st_mode), os.geteuid()
    file, quoted = f"{path} (mode {mode:04o})", shlex.quote(path)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "ok", f"{file} is on a read-only mount, which decides who may read it"
    if status.st_uid != user:
        return "failed" if mode & (stat.S_IWGRP | stat.S_IWOTH) else "warning", (
            f"{file} belongs to user {status.st_uid}, and this is user {user}: a user who can change it decides "
            f"where data goes; mount it read-only, or run as root: chown {user} {quoted} && chmod 600 {quoted}"
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return (
            "failed",
            f"others than its owner may read {file}, and with it the access key; run: chmod 600 {quoted}",
        )
    return "ok", f"only its owner may read {file}"
