"""The process that Pulumi's engine starts for a provider: the handlers of a double, over gRPC.

Started by an executable `pulumi-resource-<package>` on PATH, which `executables` makes; the engine takes that for
the real provider, of any version.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # Pulumi brings it along
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.botocore_models import share_models
from tests.doubles import signatures
from tests.doubles.changes import ADD, DELETE, UPDATE, Changes
from tests.doubles.handler import UNKNOWN, Double, Props, Refused, Unfinished
from tests.doubles.resources import Resources, said
from tests.doubles.signatures import Mistake
from tests.doubles.wire import decode, encode

REPO = Path(__file__).parent.parent.parent
#: Where the engine finds that a resource exists, but is not as it should be.
_DETAILS = "grpc-status-details-bin"
#: The variable with a resource type whose creation never ends, for tests that end the engine there.
HELD = "DOUBLE_HOLDS"
_LONG = 60

_Method = Callable[[Any, Any, Any], Any]
_Diff = provider_pb2.PropertyDiff
_KINDS = {ADD: _Diff.ADD, DELETE: _Diff.DELETE, UPDATE: _Diff.UPDATE}
_REPLACING = {ADD: _Diff.ADD_REPLACE, DELETE: _Diff.DELETE_REPLACE, UPDATE: _Diff.UPDATE_REPLACE}


def _responding(method: _Method) -> _Method:
    """Turn what a handler raises into what the engine shows."""

    @wraps(method)
    def response(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Unfinished as error:
            context.set_trailing_metadata([(_DETAILS, _unfinished(error))])
            message = said(error)
        except Refused as error:
            message = said(error)
        except Exception:  # noqa: BLE001  # a mistake of the double's own must reach the test
            message = f"the double itself failed:\n{traceback.format_exc()}"
        return context.abort(grpc.StatusCode.UNKNOWN, message)

    return response


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """What the engine calls."""

    def __init__(self, double: Double) -> None:
        self.double = double
        self.resources = Resources(double, None)

    # --- the provider itself -----------------------------------------------------------------------------

    def GetPluginInfo(self, _request, _context):  # noqa: N802  # gRPC's names
        return plugin_pb2.PluginInfo(version=version(f"pulumi_{self.double.package}"))

    def Handshake(self, _request, _context):  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse()

    @_responding
    def CheckConfig(self, request, _context):  # noqa: N802
        news = decode(request.news)
        wrong = signatures.configuration_mistakes(self.double.package, news)
        if not wrong:
            try:
                self._connect(news)
            except Refused as error:
                wrong = [Mistake("", str(error))]
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(wrong))

    @_responding
    def DiffConfig(self, request, _context):  # noqa: N802
        olds, news = decode(request.olds), decode(request.news)
        differ = sorted(one for one in olds.keys() | news.keys() if olds.get(one) != news.get(one))
        replaces = [one for one in differ if one in self.double.replaces]
        return provider_pb2.DiffResponse(changes=_changed(bool(differ)), diffs=differ, replaces=replaces)

    @_responding
    def Configure(self, request, _context):  # noqa: N802
        self.resources = self._connect(decode(request.args)) or self.resources
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def _connect(self, config: Props) -> Resources | None:
        """Connect, unless a part of the configuration is not known before the update."""
        if UNKNOWN in config.values():
            return None
        return Resources(self.double, {key: value for key, value in config.items() if isinstance(value, str)})

    # --- resources ---------------------------------------------------------------------------------------

    @_responding
    def Check(self, request, _context):  # noqa: N802
        inputs, wrong = self.resources.check(
            _token(request), request.urn.rpartition("::")[2], decode(request.news), decode(request.olds)
        )
        return provider_pb2.CheckResponse(inputs=encode(inputs), failures=_failures(wrong))

    @_responding
    def Diff(self, request, _context):  # noqa: N802
        found = self.resources.diff(
            _token(request), decode(request.olds), decode(request.news), request.ignoreChanges
        )
        return _diff_response(found)

    @_responding
    def Create(self, request, _context):  # noqa: N802
        token, inputs = _token(request), decode(request.properties)
        identifier = ""
        if request.preview:
            outputs = self.resources.preview(token, None, inputs)
        elif token == os.environ.get(HELD):
            time.sleep(_LONG)
            raise Refused(f"the test did not end what it wanted to be held at {token}")
        else:
            identifier, outputs = self.resources.create(token, inputs)
        return provider_pb2.CreateResponse(id=identifier, properties=self._marked(token, outputs))

    @_responding
    def Read(self, request, _context):  # noqa: N802
        token = _token(request)
        found = self.resources.read(token, request.id, decode(request.properties), decode(request.inputs))
        if found is None:
            return provider_pb2.ReadResponse()
        outputs, inputs = found
        return provider_pb2.ReadResponse(
            id=self.resources.own_id(token, request.id),
            properties=self._marked(token, outputs),
            inputs=encode(inputs),
        )

    @_responding
    def Update(self, request, _context):  # noqa: N802
        token, olds, news = _token(request), decode(request.olds), decode(request.news)
        if request.preview:
            outputs = self.resources.preview(token, olds, news)
        else:
            outputs = self.resources.update(token, request.id, olds, news)
        return provider_pb2.UpdateResponse(properties=self._marked(token, outputs))

    @_responding
    def Delete(self, request, _context):  # noqa: N802
        self.resources.delete(_token(request), request.id, decode(request.properties))
        return empty_pb2.Empty()

    @_responding
    def Invoke(self, request, _context):  # noqa: N802
        response = self.resources.call(request.tok, decode(request.args))
        return provider_pb2.InvokeResponse(**{"return": encode(response)})

    def Cancel(self, _request, _context):  # noqa: N802
        return empty_pb2.Empty()

    def _marked(self, token: str, outputs: Props) -> Any:
        return encode(outputs, self.resources.secrets(token))


def _token(request: Any) -> str:
    token: str = request.urn.split("::")[2].rpartition("$")[2]
    return token


def _failures(wrong: Iterable[Mistake]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in wrong]


def _changed(differs: bool) -> Any:  # noqa: FBT001  # a plain translation
    return provider_pb2.DiffResponse.DIFF_SOME if differs else provider_pb2.DiffResponse.DIFF_NONE


def _diff_response(found: Changes) -> Any:
    detailed = {
        path: _Diff(kind=(_REPLACING if path in found.replaces else _KINDS)[kind])
        for path, kind in found.paths.items()
    }
    tops = {path: path.partition(".")[0].partition("[")[0] for path in found.paths}
    return provider_pb2.DiffResponse(
        changes=_changed(bool(found)),
        diffs=sorted(set(tops.values())),
        replaces=sorted({tops[path] for path in found.replaces}),
        deleteBeforeReplace=found.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _unfinished(error: Unfinished) -> bytes:
    detail = any_pb2.Any()
    properties = encode(error.outputs)
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.identifier, properties=properties, reasons=[str(error)], inputs=properties
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=said(error), details=[detail])
    serialised: bytes = status.SerializeToString()
    return serialised


def serve(module: str) -> None:
    """Serve the double of a module (its `DOUBLE`) until the engine ends this process."""
    share_models()
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    servicer = Servicer(import_module(module).DOUBLE)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The engine waits for seconds for a plugin that it has told to end.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: server.stop(0))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def executables(folder: Path, **modules: str) -> Path:
    """Write `pulumi-resource-<package>` for each package, and link `pulumi` if this machine has it.

    Pulumi starts the plugin that it finds on PATH, and `python -m infra` puts the folder of the `pulumi` that it
    runs first on PATH. With `pulumi` in the same folder, the doubles are found before the real providers, even if
    these are installed next to the real `pulumi`.
    """
    for package, module in modules.items():
        program = folder / f"pulumi-resource-{package}"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPO)!r})\n"
            f"from tests.doubles.provider import serve\nserve({module!r})\n"
        )
        program.chmod(0o755)
    if pulumi := shutil.which("pulumi"):
        (folder / "pulumi").symlink_to(pulumi)
    return folder
