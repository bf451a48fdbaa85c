"""Presigned URLs: one request to one object, for whoever holds the URL."""

from __future__ import annotations

import unicodedata
from typing import Any
from urllib.parse import quote

from core.storage._boto.clients import presign_client, session_of
from core.storage._config.current import current_settings
from core.storage._http.translate import translated
from core.storage._keys import check_key, check_new_key
from core.storage._log import logger
from core.storage._public import public
from core.storage.settings import Settings

#: Seconds: signature version 4 ends here, on every store
#: (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
LONGEST = 604_800
_METHODS = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object"}


@public
def get_presigned_url(
    bucket: str,
    key: str,
    expires: int = 3600,
    *,
    method: str = "GET",
    content_type: str | None = None,
    filename: str | None = None,
) -> str:
    """A URL that lets anyone who has it do one thing with one object, without credentials.

    Signed here, without a request: it says nothing about whether the object exists or the key may read it. It
    is signed for ``S3_PUBLIC_ENDPOINT_URL`` where that is set, because the host is part of the signature. It
    dies with the credentials that signed it, so temporary ones may end it sooner than `expires`; that is
    logged as a warning. A browser needs no header for it but, for PUT, the content type. The bucket owner of
    the settings is therefore not checked: as a header it would be part of the signature.

    Args:
        bucket: its name.
        key: the object's key.
        expires: seconds, 1 to 604,800 (seven days).
        method: ``GET``, ``HEAD`` or ``PUT``.
        content_type: for GET and HEAD, what the answer shall say; for PUT, signed: the uploader must send
            exactly this Content-Type.
        filename: for GET and HEAD, makes browsers save the object under this name instead of showing it.

    Raises:
        ValueError: `expires`, `method` or `filename` cannot be used.
        UnsafeKeyError: the key names no object; for PUT, as `upload_file`.
        StorageConfigError: the environment names no store, or no credentials.
    """
    _check(expires, method, filename)
    (check_new_key if method == "PUT" else check_key)(key)
    settings = current_settings()
    params = {"Bucket": bucket, "Key": key, **_extras(method, content_type, filename)}
    with translated("Presign", bucket, key):
        url: str = presign_client(settings).generate_presigned_url(
            _METHODS[method], Params=params, ExpiresIn=expires
        )
        _warn_of_short_life(settings, expires)
    return url


def _check(expires: int, method: str, filename: str | None) -> None:
    # A bool is an int for Python; nobody means one second by True.
    if type(expires) is not int or not 1 <= expires <= LONGEST:
        raise ValueError(f"expires must be a whole number of seconds from 1 to {LONGEST}, got {expires!r}")
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    if filename is not None and (method == "PUT" or not filename or any(map(_is_control, filename))):
        raise ValueError("filename is for GET and HEAD, and must be a name without control characters")


def _is_control(character: str) -> bool:
    """Whether it is a control character, a line break, or half of a character: not U+202F, which macOS writes."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _extras(method: str, content_type: str | None, filename: str | None) -> dict[str, Any]:
    if method == "PUT":
        return {"ContentType": content_type} if content_type else {}
    extras = {"ResponseContentType": content_type} if content_type else {}
    return extras | ({"ResponseContentDisposition": disposition(filename)} if filename else {})


def disposition(filename: str) -> str:
    """The header that makes a browser save a file under this name.

    Twice, as RFC 6266 (https://www.rfc-editor.org/rfc/rfc6266#appendix-D) advises: plain for old clients, with
    every character that could end the string replaced, and in full by RFC 5987.
    """
    plain = "".join(one if one.isascii() and one not in '"\\%' else "_" for one in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _warn_of_short_life(settings: Settings, expires: int) -> None:
    if settings.session_token or (not settings.access_key_id and _is_temporary(settings)):
        logger.warning(
            "the credentials are temporary: the presigned URL ends with them, if that is before its %s s", expires
        )


def _is_temporary(settings: Settings) -> bool:
    credentials = session_of(settings).get_credentials()
    return credentials is not None and bool(credentials.token)
