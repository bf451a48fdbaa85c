"""Programs as clients: their start is part of the measured time.

s3fs is one of them, because it needs another botocore. The process that starts a program imports little, because
Linux counts its memory as the least that the program used.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from bench.job import BIG, LISTED, MANY, REPO, WORKERS, Cases, Job

#: s3fs, aiobotocore and aioboto3 in an environment of their own; `make s3fs` creates it.
S3FS_PYTHON = REPO / ".local" / "s3fs" / "bin" / "python"


def run(*command: str) -> str:
    """Run a program to its end and return its output; the error of a failure is the end of what it printed."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(lines[-1:])}")
    return done.stdout


def lines(*command: str) -> int:
    return run(*command).count("\n")


def s5cmd(job: Job) -> Cases:
    base = ["s5cmd", "--endpoint-url", job.endpoint]
    many = [*base, "--numworkers", str(WORKERS)]
    source, uploads = f"s3://{job.source}", f"s3://{job.uploads}/{job.prefix}"
    return {
        "many down": lambda _: run(*many, "cp", f"{source}/{MANY}*", f"{job.target}/{MANY}"),
        "many up": lambda _: run(*many, "cp", f"{job.files}/{MANY}", f"{uploads}{MANY}"),
        "big down": lambda _: run(*base, "cp", f"{source}/{job.big}", f"{job.target}/{job.big}"),
        "big up": lambda _: run(*base, "cp", f"{job.files}/{BIG}", f"{uploads}{BIG}"),
        "list": lambda _: lines(*base, "ls", f"{source}/{LISTED}*"),
    }


def rclone(job: Job) -> Cases:
    workers = ["--transfers", str(WORKERS), "--checkers", str(WORKERS)]
    remote = f":s3,provider=SeaweedFS,env_auth,endpoint='{job.endpoint}':"
    source, uploads = f"{remote}{job.source}", f"{remote}{job.uploads}/{job.prefix}"

    def copy(origin: str, target: str) -> str:
        return run("rclone", "copyto", *workers, origin, target)

    return {
        "many down": lambda _: copy(f"{source}/{MANY}", f"{job.target}/{MANY}"),
        "many up": lambda _: copy(f"{job.files}/{MANY}", f"{uploads}{MANY}"),
        "big down": lambda _: copy(f"{source}/{job.big}", f"{job.target}/{job.big}"),
        "big up": lambda _: copy(f"{job.files}/{BIG}", f"{uploads}{BIG}"),
        "list": lambda _: lines("rclone", "lsf", "--recursive", "--files-only", *workers, f"{source}/{LISTED}"),
    }


def s3fs(job: Job) -> Cases:
    def call(code: str) -> str:
        setup = f"import s3fs; f = s3fs.S3FileSystem(endpoint_url={job.endpoint!r}); "
        return run(str(S3FS_PYTHON), "-c", setup + code)

    def copy(verb: str, origin: str, target: str, options: str = "") -> str:
        return call(f"f.{verb}({origin!r}, {target!r}{options})")

    source, uploads, each = job.source, f"{job.uploads}/{job.prefix}", ", recursive=True"
    return {
        "many down": lambda _: copy("get", f"{source}/{MANY}", f"{job.target}/{MANY}", each),
        "many up": lambda _: copy("put", f"{job.files}/{MANY}", f"{uploads}{MANY}", each),
        "big down": lambda _: copy("get", f"{source}/{job.big}", f"{job.target}/{job.big}"),
        "big up": lambda _: copy("put", f"{job.files}/{BIG}", f"{uploads}{BIG}"),
        "list": lambda _: int(call(f"print(len(f.find({f'{source}/{LISTED}'!r})))")),
    }


def aiobotocore(job: Job) -> Cases:
    def call(work: str) -> str:
        return run(str(S3FS_PYTHON), "-m", "bench.async_botocore", work, job.to_json())

    return {
        "many down, memory": lambda _: call("many down, memory"),
        "many up, memory": lambda _: call("many up, memory"),
    }


def curl(job: Job) -> Cases:
    """Send one request with a presigned URL: no signing of a body, no verification, one stream."""

    def request(*arguments: str) -> str:
        return run("curl", "--silent", "--show-error", "--fail", *arguments)

    return {
        "big down": lambda _: request("--output", f"{job.target}/{job.big}", job.get_url),
        "big up": lambda _: request("--upload-file", f"{job.files}/{BIG}", job.put_url),
    }


PROGRAMS: dict[str, Callable[[Job], Cases]] = {
    "s5cmd": s5cmd,
    "rclone": rclone,
    "s3fs": s3fs,
    "aiobotocore": aiobotocore,
    "curl": curl,
}
