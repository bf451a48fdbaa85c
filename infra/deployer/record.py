"""Run the program of an environment without AWS, to list its resources."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pulumi
from pulumi.runtime.stack import run_pulumi_func

from infra.components import Storage
from infra.config.environment import EnvironmentConfig
from infra.config.stack_files import NAMESPACE
from infra.deployer.policy import Resource

#: A valid account ID, for the program.
_ACCOUNT = "000000000000"


def resources(config: EnvironmentConfig) -> list[Resource]:
    """Return the resources that the environment's program registers."""
    recorder = _Recorder()
    asyncio.run(_run(config, recorder))
    return recorder.resources


async def _run(config: EnvironmentConfig, recorder: _Recorder) -> None:
    def program() -> None:
        Storage(config.environment, config)

    pulumi.runtime.settings.reset_options()
    pulumi.runtime.set_mocks(recorder, project=NAMESPACE, stack=config.environment, preview=False)
    # A thread without an event loop would get one from Pulumi, which never closes it. Two threads could not run
    # the same loop.
    with closing(asyncio.new_event_loop()) as idle:
        threads = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(idle,))
        asyncio.get_running_loop().set_default_executor(threads)
        await run_pulumi_func(program)


class _Recorder(pulumi.runtime.Mocks):
    """Records the resources instead of creating them."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(Resource(args.typ, args.name, dict(args.inputs)))
        # The outputs that other resources require. A policy reads the region from the ARN of a KMS key.
        arn = f"arn:aws:::{_ACCOUNT}:{args.name}"
        return args.name, {"bucket": args.name, "arn": arn, "secret": ""} | dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token.startswith("pulumi:"):
            return {}  # the state: the program is listed as for the first update
        return {"id": _ACCOUNT, "accountId": _ACCOUNT, "arn": "", "userId": ""}
