"""Look up error codes of the S3 and IAM APIs in the table of store kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.stores.kinds import GENERIC, KINDS, Meaning

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


def means(error: ClientError | str, *meanings: Meaning) -> bool:
    """Return whether an error, or its code, has one of these meanings on any kind of store."""
    code = error if isinstance(error, str) else code_of(error)
    return any(code in kind.codes.get(meaning, "").split() for kind in (GENERIC, *KINDS) for meaning in meanings)


def code_of(error: ClientError) -> str:
    """Return the code of an error."""
    # SeaweedFS' IAM API refuses a wrong key with an error document of S3: botocore adds no `Error` around it.
    response: Any = error.response
    return str(response.get("Error", response).get("Code", "Unknown"))


class Suppress:
    """A context that ends without an error if the store responds with one of these."""

    def __init__(self, *meanings: Meaning) -> None:
        self._meanings = meanings

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415  # 0.1 s

        return isinstance(error, ClientError) and means(error, *self._meanings)
