"""The private names that `infra` imports, from here alone. Any commit that changes their users may change them."""

from core.storage._boto.clients import presign_client
from core.storage._boto.signature import AccessKey as SigningKey
from core.storage._boto.signature import payload_hash, sign
from core.storage._config.env_file import render as render_env_file
from core.storage._config.mask import mask
from core.storage._config.validate import account_problem, bucket_name_problem, endpoint_problem, region_problem
from core.storage._engine import iterate, run
from core.storage._http.authorities import authorities, tls_context
from core.storage._http.limits import CONNECT_TIMEOUT, READ_TIMEOUT
from core.storage._http.request import Reply, Request, call, once
from core.storage._http.translate import Failure, translated
from core.storage._keys import check_new_key
from core.storage._listing.pages import pages
from core.storage._readiness.env_file_check import judged as env_file_permissions
from core.storage._transfer.checksums import PART_SIZE
from core.storage._transfer.multipart import part_size

__all__ = [
    "CONNECT_TIMEOUT",
    "PART_SIZE",
    "READ_TIMEOUT",
    "Failure",
    "Reply",
    "Request",
    "SigningKey",
    "account_problem",
    "authorities",
    "bucket_name_problem",
    "call",
    "check_new_key",
    "endpoint_problem",
    "env_file_permissions",
    "iterate",
    "mask",
    "once",
    "pages",
    "part_size",
    "payload_hash",
    "presign_client",
    "region_problem",
    "render_env_file",
    "run",
    "sign",
    "tls_context",
    "translated",
]
