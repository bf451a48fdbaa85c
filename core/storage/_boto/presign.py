"""Presigned URLs: each permits one request to one object, without credentials."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import category
from urllib.parse import quote

from core.storage._boto.clients import presign_client, session_of
from core.storage._config.current import current_settings
from core.storage._http.address import check_bucket
from core.storage._http.translate import translated
from core.storage._keys import check_key, check_new_key
from core.storage._log import logger
from core.storage._public import public

#: Seconds: the limit of signature version 4 on every store
#: (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
LONGEST = 604_800
#: Unicode's categories of control characters, surrogates and line breaks; not that of U+202F, which macOS writes
#: into the names of screenshots.
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
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
    """Return a URL that permits one request to one object, without credentials.

    The URL is signed locally, without a request: the object may be missing, or the access key may lack the
    permission. It is signed for ``S3_PUBLIC_ENDPOINT_URL`` if that is set, because the host is part of the
    signature. It expires with the credentials that signed it: temporary ones may expire before `expires`, and a
    warning is logged. A browser needs no header for it, except the content type for PUT. So the bucket owner of
    the settings is not checked: as a header, it would be part of the signature.

    Args:
        bucket: the bucket's name.
        key: the object key.
        expires: seconds, 1 to 604,800 (seven days).
        method: ``GET``, ``HEAD`` or ``PUT``.
        content_type: for GET and HEAD, the Content-Type of the response; for PUT, signed: the uploader must send
            exactly this Content-Type.
        filename: for GET and HEAD, makes browsers save the object under this name instead of showing it.

    Raises:
        ValueError: `expires`, `method` or `filename` cannot be used.
        UnsafeKeyError: the key names no object; for PUT, as `upload_file`.
        StorageConfigError: the bucket cannot have this name, the environment names no store, or there are no
            credentials.
    """
    if type(expires) is not int or not 1 <= expires <= LONGEST:  # True is an int, too
        raise ValueError(f"expires must be a whole number of seconds from 1 to {LONGEST}, got {expires!r}")
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    if not isinstance(filename, str | None):
        raise TypeError(f"filename must be text (a str), got {filename!r}")
    if filename is not None and (method == "PUT" or not filename or _CONTROL & set(map(category, filename))):
        raise ValueError("filename is for GET and HEAD, and must be a name without control characters")
    check_bucket(bucket)
    (check_new_key if method == "PUT" else check_key)(key)
    params: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if content_type:
        params["ContentType" if method == "PUT" else "ResponseContentType"] = content_type
    if filename:
        params["ResponseContentDisposition"] = disposition(filename)
    settings = current_settings()
    with translated("Presign", bucket, key):
        url: str = presign_client(settings).generate_presigned_url(
            _METHODS[method], Params=params, ExpiresIn=expires
        )
        credentials = session_of(settings).get_credentials()
    if credentials is not None and credentials.token:
        logger.warning(
            "the credentials are temporary: the presigned URL ends with them, if that is before its %s s", expires
        )
    return url


def disposition(filename: str) -> str:
    """Return the Content-Disposition header that makes a browser save a file under this name.

    It holds the name twice, as RFC 6266 (https://www.rfc-editor.org/rfc/rfc6266#appendix-D) advises: in ASCII for
    old clients, with every character that could end the string replaced, and in full by RFC 5987.
    """
    plain = re.sub(r'[^\x00-\x7f]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
