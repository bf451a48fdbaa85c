"""The reference of the library: signatures and docstrings of its public names."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import core.storage
from core.storage import aio, keys, settings
from core.storage._testing.server import FakeStorage
from docs._generate import docstring
from docs._generate.table import table

_WIDTH = 100
_FIELD_COMMENT = re.compile(r"((?: *#:.*\n)+) *(\w+):")

#: Public names that are neither a function nor a class with a section of its own.
WITHOUT_SECTION = frozenset({"BUCKET_IN", "BUCKET_OUT"})
#: Errors are on a page of their own.
_ERRORS = {name for name in core.storage.__all__ if name.endswith("Error")}


def _signature(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    inner = inspect.unwrap(function)
    decorator = ""
    if inner is not function:
        decorator = "@contextmanager\n" if inspect.isgeneratorfunction(inner) else "@asynccontextmanager\n"
    keyword = "async def" if inspect.iscoroutinefunction(function) else "def"
    parameters = list(_parameters(signature))
    returns = signature.return_annotation
    end = ": ..." if returns is signature.empty else f" -> {returns}: ..."
    line = f"{decorator}{keyword} {name}({', '.join(parameters)}){end}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{decorator}{keyword} {name}(", *(f"    {text}," for text in parameters), f"){end}"])


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    is_keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            yield "*"
        annotation = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        equals = " = " if annotation else "="
        default = "" if parameter.default is parameter.empty else f"{equals}{parameter.default!r}"
        yield f"{parameter.name}{annotation}{default}"


def _stub(*lines: str) -> str:
    return "\n".join(["```pyi", *lines, "```"])


def _function(name: str, function: Callable[..., Any]) -> str:
    text = docstring.markdown(inspect.getdoc(function) or "")
    return f"### {name}\n\n{_stub(_signature(name, function))}\n\n{text}"


def _class(cls: type[Any]) -> str:
    parts = [f"### {cls.__name__}", docstring.markdown(inspect.getdoc(cls) or "")]
    if dataclasses.is_dataclass(cls):
        parts.append(_fields(cls))
    elif not issubclass(cls, Exception) and cls is not FakeStorage:
        construction = textwrap.indent(_signature("__init__", cls.__init__), "    ")
        parts.insert(1, _stub(f"class {cls.__name__}:", construction))
    parts += [_member(name, value) for name, value in vars(cls).items() if not name.startswith("_")]
    return "\n\n".join(part for part in parts if part)


def _fields(cls: type[Any]) -> str:
    comments = {name: comment for comment, name in _FIELD_COMMENT.findall(_source(cls))}
    rows = []
    for field in dataclasses.fields(cls):
        comment = re.sub(r"\s*#:\s*", " ", comments.get(field.name, "")).strip()
        if "variable" in field.metadata:
            named = ", ".join(f"`{name}`" for name in field.metadata["variable"].names)
            comment = f"{named}. {comment}".strip()
        rows.append((f"`{field.name}`", f"`{field.type}`", comment))
    return table(("field", "type", "meaning"), rows)


def _source(cls: type[Any]) -> str:
    """Return the source of a class whose `__module__` may be that of the package that exports it."""
    private = core.storage._LAZY.get(cls.__name__)  # noqa: SLF001  # the table that imports it
    module = import_module(f"core.storage.{private}" if private else cls.__module__)
    return inspect.getsource(module).partition(f"\nclass {cls.__name__}")[2].partition("\nclass ")[0]


def _member(name: str, value: object) -> str:
    if isinstance(value, property) and value.fget:
        text = docstring.markdown(inspect.getdoc(value) or "")
        return f"#### {name}\n\nA property. {text}"
    function = value.__func__ if isinstance(value, classmethod) else value
    if not inspect.isfunction(function):
        return ""
    text = docstring.markdown(inspect.getdoc(function) or "")
    return f"#### {name}\n\n{_stub(_signature(name, function))}\n\n{text}"


def _named(name: str) -> str:
    value = getattr(core.storage, name)
    return _class(value) if inspect.isclass(value) else _function(name, value)


def _of_aio() -> str:
    return _stub(*(_signature(name, getattr(aio, name)) for name in aio.__all__))


def _of_errors() -> str:
    rows = []
    for name in sorted(_ERRORS - {"StorageError"}):
        error = getattr(core.storage, name)
        builtin = ", ".join(f"`{base.__name__}`" for base in error.__bases__[1:])
        rows.append((f"`{name}`", builtin, " ".join((inspect.getdoc(error) or "").split())))
    return table(("error", "also", "when"), rows)


#: Every public name but the errors has a region of its own.
SECTIONS = tuple(name for name in core.storage.__all__ if name not in _ERRORS | WITHOUT_SECTION)
_KEYS = (keys.ChunkKey, keys.FrameKey, keys.ManifestKey, keys.OverlayKey)

REGIONS: dict[str, Callable[[], str]] = {
    **{name: partial(_named, name) for name in SECTIONS},
    **{f"keys.{cls.__name__}": partial(_class, cls) for cls in _KEYS},
    "keys.parse": partial(_function, "parse", keys.parse),
    "settings.read_env_file": partial(_function, "read_env_file", settings.read_env_file),
    "aio": _of_aio,
    "testing.FakeStorage": partial(_class, FakeStorage),
    "StorageError": lambda: _class(core.storage.StorageError),
    "errors": _of_errors,
}
