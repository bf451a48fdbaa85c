"""The private names that `infra` imports, from here alone. Any commit that changes their users may change them."""

from core.storage._boto.clients import presign_client
from core.storage._boto.signature import Keys as SigningKeys
from core.storage._boto.signature import payload_hash, sign
from core.storage._config.env_file import render as render_env_file
from core.storage._config.mask import mask
from core.storage._config.validate import bucket_name_problem, endpoint_problem, region_problem
from core.storage._http.request import Request, call
from core.storage._http.translate import translated
from core.storage._keys import check_new_key
from core.storage._listing.page import parsed as parsed_page
from core.storage._transfer.checksums import PART_SIZE
from core.storage._transfer.multipart import part_size

__all__ = [
    "PART_SIZE",
    "Request",
    "SigningKeys",
    "bucket_name_problem",
    "call",
    "check_new_key",
    "endpoint_problem",
    "mask",
    "parsed_page",
    "part_size",
    "payload_hash",
    "presign_client",
    "region_problem",
    "render_env_file",
    "sign",
    "translated",
]
