"""The decorator of the functions of `core.storage.aio`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import core.storage as sync

_Function = TypeVar("_Function", bound=Callable[..., Any])


def documented(function: _Function) -> _Function:
    """Give a function the documentation of the synchronous function of the same name, and the module `aio`."""
    function.__doc__ = getattr(sync, function.__name__).__doc__
    function.__module__ = "core.storage.aio"
    return function
