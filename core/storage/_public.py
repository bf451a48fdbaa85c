"""The mark of public names."""

TYPE_CHECKING = False  # as in `core.storage`: the import of `typing` costs as much as the whole package
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Named = TypeVar("_Named", bound=Any)


def public(named: "_Named") -> "_Named":
    """Mark a class or function as a name of `core.storage`, which tracebacks, pickles and `help` show."""
    named.__module__ = "core.storage"
    return named
