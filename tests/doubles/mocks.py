"""The handlers of the doubles behind Pulumi's mocks: a program runs to real buckets and keys without an engine.

This does what the engine does for a resource: check, then create, or compare with the state and update or
replace, or import. It does not do the rest: no deletion of what left the program, no transforms, no error hooks,
no order but that of the values.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import provider_pb2, resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from tests.botocore_models import share_models
from tests.doubles import signatures
from tests.doubles.changes import is_empty
from tests.doubles.handler import Double, Props, Refused, Unfinished
from tests.doubles.resources import Resources
from tests.doubles.wire import decode, encode, secret_names

_PROVIDER = "pulumi:providers:"
_STACK = "pulumi:pulumi:Stack"
_READ_STATE = "pulumi:pulumi:readStackResourceOutputs"
_DYNAMIC = "pulumi-python:dynamic"


@dataclass
class Entry:
    """A resource in the state."""

    token: str
    identifier: str
    inputs: Props
    outputs: Props
    provider: str
    secrets: set[str] = field(default_factory=set)
    protect: bool = False
    retain: bool = False


class State(dict[str, Entry]):
    """By URN, in the order in which they were made. A caller that runs the program more than once keeps it."""

    def __init__(self) -> None:
        super().__init__()
        #: By URN, the type and the outputs of component resources.
        self.components: dict[str, Props] = {}


class NoMocks(pulumi.runtime.Mocks):
    """Respond to invokes here: mocks get too little of a request."""

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(args.token)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise AssertionError(args.typ)


class Monitor(MockMonitor):
    """What a program talks to: it deploys with the doubles, and keeps the requests."""

    def __init__(
        self, doubles: Iterable[Double], state: State, config: Mapping[str, str], *, preview: bool
    ) -> None:
        super().__init__(NoMocks())
        self.doubles = {one.package: one for one in doubles}
        self.state = state
        self.config = config
        self.preview = preview
        self.requests: list[Any] = []
        #: By URN, every request: those for component resources and explicit providers, too.
        self.registrations: dict[str, Any] = {}
        #: By URN, the outputs that component resources register, as they were sent.
        self.registered_outputs: dict[str, Any] = {}
        self._connected: dict[str, Resources] = {}

    # --- providers ---------------------------------------------------------------------------------------

    def _provider(self, request: Any, token: str) -> tuple[str, Resources]:
        """The provider of a request: the one it names, or the default one, from the stack's configuration."""
        package = token.partition(":")[0]
        reference = request.provider or package
        if reference not in self._connected:
            start = f"{package}:"
            own = {key.removeprefix(start): one for key, one in self.config.items() if key.startswith(start)}
            self._connected[reference] = self._connect(package, own)
        return reference, self._connected[reference]

    def _connect(self, package: str, config: Mapping[str, Any]) -> Resources:
        if package not in self.doubles:
            raise Refused(f"no resource plugin 'pulumi-resource-{package}' found: there is no double of it here")
        wrong = signatures.configuration_mistakes(package, config)
        if wrong:
            raise Refused(f"pulumi:providers:{package}: {wrong[0].reason}")
        return Resources(self.doubles[package], {key: one for key, one in config.items() if isinstance(one, str)})

    def _register_provider(self, request: Any, urn: str) -> Any:
        inputs = decode(request.object)
        identifier = "00000000-0000-0000-0000-000000000000"
        self._connected[f"{urn}::{identifier}"] = self._connect(request.type.removeprefix(_PROVIDER), inputs)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=encode(inputs))

    # --- what the program calls --------------------------------------------------------------------------

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == _STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self.registrations[urn] = request
        if request.type.startswith(_DYNAMIC):  # its provider is not run, see tests/engine
            del self.registrations[urn]
            return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name, object=request.object)
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if request.type.startswith(_PROVIDER):
            return self._register_provider(request, urn)
        self.requests.append(request)
        entry = self._deploy(urn, request)
        identifier = entry.identifier
        secrets = entry.secrets | set(request.additionalSecretOutputs)
        self.resources[urn] = MockMonitor.ResourceRegistration(urn, identifier, entry.outputs)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=identifier, object=encode(entry.outputs, secrets), result=resource_pb2.SUCCESS
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.registered_outputs[request.urn] = request.outputs
        if not self.preview and request.urn in self.registrations:
            kind = self.registrations[request.urn].type
            self.state.components[request.urn] = {"type": kind, "outputs": decode(request.outputs)}
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        if request.tok == _READ_STATE:
            resources = {urn: {"type": one.token, "outputs": one.outputs} for urn, one in self.state.items()}
            response: Props = {"outputs": resources | self.state.components}
        else:
            _, provider = self._provider(request, request.tok)
            try:
                response = provider.call(request.tok, decode(request.args))
            except Refused as refused:  # as from the engine: an error that the program may handle
                failure = provider_pb2.CheckFailure(reason=str(refused))
                return resource_pb2.ResourceInvokeResponse(failures=[failure])
        return resource_pb2.ResourceInvokeResponse(**{"return": encode(response)})

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        raise NotImplementedError("the mocks of the doubles know no `get`")

    # --- what the engine does ----------------------------------------------------------------------------

    def _deploy(self, urn: str, request: Any) -> Entry:
        reference, provider = self._provider(request, request.type)
        old = self.state.get(urn)
        if old is None and request.importId:
            # Imported as it is, and changed at once to what the program wants.
            old = _imported(provider, request, reference)
        news = _ignoring(request.ignoreChanges, decode(request.object), old)
        inputs, wrong = provider.check(request.type, request.name, news, old.inputs if old else {})
        if wrong:
            path, reason = wrong[0]
            at = f"{request.name}.{path}"
            raise Refused(f"{request.type} resource {request.name!r} has a problem: {reason} Examine {at!r}.")
        secrets = secret_names(request.object) | provider.secrets(request.type)
        entry = Entry(
            request.type, "", inputs, {}, reference, secrets, bool(request.protect), bool(request.retainOnDelete)
        )
        self._make(provider, old, entry, request)
        if not self.preview:
            self.state[urn] = entry
        return entry

    def _make(self, provider: Resources, old: Entry | None, new: Entry, request: Any) -> None:
        if old is None:
            self._create(provider, new, request)
            return
        found = provider.diff(new.token, old.outputs, new.inputs, request.ignoreChanges)
        if found.replaces:
            old.protect = old.protect or new.protect
            if old.protect:
                why = ", ".join(found.replaces)
                raise Refused(f"unable to replace resource {request.name!r} ({why}): it is protected")
            self._replace(provider, old, new, request, first_delete=found.delete_before_replace)
            return
        new.identifier, new.outputs = old.identifier, old.outputs
        if found and self.preview:
            new.outputs = provider.preview(new.token, old.outputs, new.inputs)
        elif found:
            new.outputs = provider.update(new.token, old.identifier, old.outputs, new.inputs)

    def _create(self, provider: Resources, new: Entry, request: Any) -> None:
        if self.preview:
            new.outputs = provider.preview(new.token, None, new.inputs)
            return
        try:
            new.identifier, new.outputs = provider.create(new.token, new.inputs)
        except Unfinished as error:
            new.identifier, new.outputs = error.identifier, error.outputs
            self.state[self.make_urn(request.parent, request.type, request.name)] = new
            raise

    def _replace(self, provider: Resources, old: Entry, new: Entry, request: Any, *, first_delete: bool) -> None:
        gone = self.preview or old.retain
        if first_delete and not gone:
            provider.delete(old.token, old.identifier, old.outputs)
        self._create(provider, new, request)
        if not (first_delete or gone):
            provider.delete(old.token, old.identifier, old.outputs)

    # --- commands of the engine --------------------------------------------------------------------------

    def refresh(self) -> set[str]:
        """Read everything in the state again; the names of what had changed or was gone."""
        drifted = set()
        for urn, entry in list(self.state.items()):
            provider = self._connected_for(entry)
            read = provider.read(entry.token, entry.identifier, entry.outputs, entry.inputs)
            if read is None:
                del self.state[urn]
            if read is None or _differ(entry.outputs, read[0]):
                drifted.add(urn.rpartition("::")[2])
            if read is not None:
                entry.outputs, entry.inputs = read
        return drifted

    def destroy(self) -> None:
        """Delete everything in the state, the newest first, except what is retained."""
        protected = [urn for urn, entry in self.state.items() if entry.protect]
        if protected:
            raise Refused(f"resource {protected[0]!r} cannot be deleted because it is protected")
        for urn, entry in reversed(list(self.state.items())):
            if not entry.retain:
                self._connected_for(entry).delete(entry.token, entry.identifier, entry.outputs)
            del self.state[urn]

    def _connected_for(self, entry: Entry) -> Resources:
        if entry.provider not in self._connected:
            raise AssertionError("run the program first: it connects the providers")
        return self._connected[entry.provider]


def _imported(provider: Resources, request: Any, reference: str) -> Entry:
    read = provider.read(request.type, request.importId, {}, None)
    if read is None:
        raise Refused(f"resource '{request.importId}' does not exist")
    return Entry(request.type, provider.own_id(request.type, request.importId), read[1], read[0], reference)


def _ignoring(ignored: Iterable[str], news: Props, old: Entry | None) -> Props:
    """The inputs, with those to be ignored as they were; the engine does this before it asks a provider."""
    if old is None:
        return news
    kept = {name: old.inputs[name] for name in ignored if name in old.inputs}
    return {name: value for name, value in news.items() if name not in set(ignored)} | kept


def _differ(old: Props, new: Props) -> bool:
    names = old.keys() | new.keys()
    return any(
        old.get(one) != new.get(one) for one in names if not (is_empty(old.get(one)) and is_empty(new.get(one)))
    )


@dataclass
class Deployed:
    """What a run of a program came to."""

    monitor: Monitor
    #: Each export: its value, and whether it is secret.
    exports: dict[str, tuple[Any, bool]] = field(default_factory=dict)
    #: The same for the leaves of exports that are mappings; `app.name` is a leaf of a mapping in a mapping.
    nested: dict[str, dict[str, tuple[Any, bool]]] = field(default_factory=dict)

    @property
    def requests(self) -> list[Any]:
        """Every request for a resource: its type, name, options."""
        return self.monitor.requests

    def resources(self) -> set[tuple[str, str]]:
        """Type (the last part of it) and name of every resource."""
        return {(one.type.rpartition(":")[2], one.name) for one in self.requests}

    def only(self, kind: str) -> list[Any]:
        return [one for one in self.requests if one.type.endswith(f":{kind}")]


Program = Callable[[], Awaitable[None] | None]


def deploy(
    program: Program,
    doubles: Iterable[Double],
    *,
    state: State | None = None,
    config: Mapping[str, object] | None = None,
    project: str = "mpr-storage",
    stack: str = "test",
    preview: bool = False,
) -> Deployed:
    """Run a program in this process, and give what it exports. With the state of an earlier run, it goes on.

    Args:
        program: such as `infra.program.main`.
        doubles: of the providers that it may use.
        state: what exists; a run adds to it.
        config: the stack's configuration under full names, `mpr-storage:target`, `aws:region`.
        project: of the stack.
        stack: its name.
        preview: change nothing, and leave what is not known yet unknown.

    Raises:
        Exception: what the program or a double refuses, as Pulumi hands it on.
    """
    # As the engine hands configuration over: all text, structures as JSON.
    texts = {key: one if isinstance(one, str) else json.dumps(one) for key, one in (config or {}).items()}
    share_models()  # every run connects its providers again
    monitor = Monitor(doubles, State() if state is None else state, texts, preview=preview)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        return asyncio.run(_deploy(program, monitor, texts, project, stack))
    finally:
        # `infra.program` has Ctrl-C end its process at once. Here that would leave the servers of the tests.
        signal.signal(signal.SIGINT, interrupt)
        pulumi.runtime.settings.reset_options()


async def _deploy(
    program: Program, monitor: Monitor, config: dict[str, str], project: str, stack: str
) -> Deployed:
    asyncio.get_running_loop().set_exception_handler(_report)
    pulumi.runtime.settings.reset_options()
    pulumi.runtime.set_mocks(
        monitor.mocks,
        project=project,
        stack=stack,
        preview=monitor.preview,
        monitor=monitor,
        logger=logging.getLogger("engine"),
    )
    pulumi.runtime.set_all_config(config)
    await run_pulumi_func(program)
    deployed = Deployed(monitor)
    root: Any = pulumi.runtime.get_root_resource()
    for name, value in root.outputs.items():
        deployed.exports[name] = await resolved(value)
        if isinstance(value, dict):
            deployed.nested[name] = {path: await resolved(leaf) for path, leaf in _leaves(value)}
    return deployed


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what asyncio reports, except for outputs of a resource that was refused.

    All of them get the exception, and `deploy` raises it. asyncio would log it once more for each output when it
    is deleted, possibly in a later test that examines the log.
    """
    if "exception was never retrieved" not in context["message"]:
        loop.default_exception_handler(context)


def _leaves(value: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for key, leaf in value.items():
        if isinstance(leaf, dict):
            yield from _leaves(leaf, f"{start}{key}.")
        else:
            yield f"{start}{key}", leaf


async def resolved(value: Any) -> tuple[Any, bool]:
    """The value of an output (None while unknown), and whether it is secret."""
    output = pulumi.Output.from_input(value)
    return await output.future(), await output.is_secret()
