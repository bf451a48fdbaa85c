"""The program of an environment run without any cloud, to see which resources it consists of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.stack import run_pulumi_func

from infra.config import NAMESPACE, EnvironmentConfig
from infra.deployer.policy import Resource
from infra.targets import provision

#: Stands for the account where only its shape counts.
_ACCOUNT = "000000000000"


def resources(config: EnvironmentConfig) -> list[Resource]:
    """Every resource that the environment's program registers."""
    recorder = _Recorder()
    asyncio.run(_run(config, recorder))
    return recorder.found


async def _run(config: EnvironmentConfig, recorder: _Recorder) -> None:
    pulumi.runtime.settings.reset_options()
    pulumi.runtime.set_mocks(
        recorder, project=NAMESPACE, stack=config.environment, preview=False, monitor=_Monitor(recorder)
    )

    def program() -> None:
        provision(config, {})

    await run_pulumi_func(program)


class _Monitor(MockMonitor):
    """Pulumi's, but for the event loop that it gives to each of its threads: this one closes it."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC's name
        return _with_a_loop(super().RegisterResource, request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        return _with_a_loop(super().Invoke, request)


def _with_a_loop(answer: Callable[[Any], Any], request: Any) -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return answer(request)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class _Recorder(pulumi.runtime.Mocks):
    """Takes every resource and makes none."""

    def __init__(self) -> None:
        self.found: list[Resource] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.found.append(Resource(args.typ, args.name, dict(args.inputs)))
        # What one resource takes from another, as far as it must be there.
        return args.name, {"bucket": args.name, "arn": args.name, "secret": ""} | dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:  # noqa: ARG002  # one function is called
        return {"id": _ACCOUNT, "accountId": _ACCOUNT, "arn": "", "userId": ""}
