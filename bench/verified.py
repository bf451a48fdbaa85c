"""What each client verifies itself, against the store of this benchmark (SeaweedFS 4.48).

Found with a proxy between each client and the store. It recorded the headers of every request and response, and in
a second run it changed one byte of every body. Versions: boto3 1.44.5, obstore 0.12.1, minio 7.2.20, s5cmd 2.3.0,
rclone 1.75.2, s3fs 2026.9.0.

"By the store" means that the client sends a checksum, and that the store refused the changed body. SeaweedFS does
so for Content-MD5 and x-amz-checksum-crc32. It ignores x-amz-content-sha256, which other stores compare, and which
most clients send over http.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The number of bytes that arrived, compared with Content-Length; the changed byte was not found.
_SIZE = "size"
_MD5_BY_STORE = "MD5 of every request, by the store"
_CRC32_BY_STORE = "CRC-32 of every request, by the store"
_NOTHING = "nothing on this store"

_DOWN = {
    # x-amz-checksum-mode has no effect: SeaweedFS responded without a checksum.
    "boto3": _SIZE,
    # botocore/response.py, _verify_content_length.
    "boto3, tuned": _SIZE,
    "s3transfer, one pool": _SIZE,
    "obstore": _SIZE,
    # urllib3/response.py, enforce_content_length.
    "minio-py": _SIZE,
    # aws-sdk-go v1, service/s3/body_hash.go: it verifies an MD5 that the store appends, which SeaweedFS does not.
    "s5cmd": _SIZE,
    # aiohttp compares Content-Length.
    "s3fs": _SIZE,
    "curl": _SIZE,
    # http.client returns a short body without an error if it is read in pieces.
    "plain GET": "nothing",
}
_UP = {
    "core.storage": "MD5 of every request, by the store; the ETag that it returns",
    "boto3": _CRC32_BY_STORE,
    "s3transfer, one pool": _CRC32_BY_STORE,
    "s3fs": _CRC32_BY_STORE,
    "s5cmd": _MD5_BY_STORE,
    # It also compares size and hash with the object afterwards; of an object in parts, the hash is the one that it
    # stored itself as x-amz-meta-md5chksum (https://github.com/rclone/rclone/issues/7434).
    "rclone": "MD5 of every request, by the store; size and hash of the object",
    "boto3, tuned": _NOTHING,
    "obstore": _NOTHING,
    "minio-py": _NOTHING,
    "curl": _NOTHING,
}
_VERIFIED: Mapping[str, Mapping[str, str]] = {
    # The ETag of an object that was uploaded with one request is its MD5.
    "many down": {**_DOWN, "core.storage": "MD5 of every object", "rclone": "MD5 of every object"},
    # The ETag of an object that was uploaded in parts is no hash of its content.
    "big down": {**_DOWN, "core.storage": _SIZE, "rclone": _SIZE},
    # Its ETag can be computed from the parts with their size, which `core.storage` stored.
    "big down, hashed": {**_DOWN, "core.storage": "MD5 of every part"},
    "many down, memory": {
        **dict.fromkeys(("obstore", "obstore, async", "aiobotocore"), _SIZE),
        **dict.fromkeys(("core.storage", "core.storage.aio"), "MD5 of every object"),
    },
    "many up": _UP,
    "many up, memory": {
        **dict.fromkeys(("obstore", "obstore, async", "aiobotocore"), _NOTHING),
        **dict.fromkeys(("core.storage", "core.storage.aio"), _UP["core.storage"]),
    },
    "big up": _UP,
    "list": {},
    # boto3 and aioboto3 have the settings of "boto3, tuned" and "aiobotocore".
    "web GET": {**dict.fromkeys(("boto3, threads", "aioboto3"), _SIZE), "core.storage.aio": "MD5 of every object"},
    "web PUT": {
        **dict.fromkeys(("boto3, threads", "aioboto3"), _NOTHING),
        "core.storage.aio": _UP["core.storage"],
    },
}


def verified(case: str, scheme: str) -> Mapping[str, str]:
    """Return what each client verifies."""
    if scheme == "https" and case in {"many up", "big up"}:
        # minio/api.py, _build_headers: Content-MD5 over https, SHA-256 over http.
        return {**_UP, "minio-py": _MD5_BY_STORE}
    return _VERIFIED[case]
