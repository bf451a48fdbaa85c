"""The decorator of public names."""

TYPE_CHECKING: bool = False  # as in `core.storage`: the import of `typing` costs as much as the whole package
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Named = TypeVar("_Named", bound=Any)


def public(named: "_Named") -> "_Named":
    """Set the module of a class or function to `core.storage`, for tracebacks, pickles and `help`."""
    named.__module__ = "core.storage"
    return named
