"""Clients that do not do their work, started by the benchmark as it starts the real ones."""

from __future__ import annotations

import sys

from bench.clients import main
from bench.job import Cases, Job
from bench.store import boto3_client


def honest(job: Job) -> Cases:
    client = boto3_client(job.endpoint)

    def upload(_: Job) -> None:
        for name in job.names():
            client.upload_file(str(job.file(name)), job.uploads, job.prefix + name)

    def download(_: Job) -> None:
        for name in job.names():
            client.download_file(job.source, name, str(job.into(name)))

    return {"many up": upload, "many down": download, "list": lambda _: 7}


def returning(job: Job) -> Cases:
    """Return the output of a program, as s5cmd, and the attributes of an object, as obstore."""
    work = honest(job)

    def download(_: Job) -> str:
        work["many down"](job)
        return "a line\n"

    def upload(_: Job) -> dict[str, str]:
        work["many up"](job)
        return {"e_tag": "a tag"}

    return {"many down": download, "many up": upload}


def silent(_: Job) -> Cases:
    """End the process without a message."""

    def end(_: Job) -> None:
        sys.exit(3)

    return {"many up": end}


def idle(_: Job) -> Cases:
    return {"many up": lambda _: None, "many down": lambda _: None, "list": lambda _: None}


def wrong_byte(job: Job) -> Cases:
    client = boto3_client(job.endpoint)

    def upload(_: Job) -> None:
        for name in job.names():
            content = bytearray(job.file(name).read_bytes())
            if name == job.names()[-1]:
                content[-1] ^= 1
            client.put_object(Bucket=job.uploads, Key=job.prefix + name, Body=bytes(content))

    return {"many up": upload}


def half(job: Job) -> Cases:
    client = boto3_client(job.endpoint)

    def download(_: Job) -> None:
        for name in job.names()[::2]:
            client.download_file(job.source, name, str(job.into(name)))

    return {"many down": download, "list": lambda _: 3}


def failing(job: Job) -> Cases:
    def fail(_: Job) -> None:
        raise OSError(f"cannot open {job.file('many/00000.jpg')}")

    return {"many up": fail}


if __name__ == "__main__":
    main(
        {
            "honest": honest,
            "returning": returning,
            "silent": silent,
            "idle": idle,
            "wrong byte": wrong_byte,
            "half": half,
            "failing": failing,
        }
    )
