# S3Client: the type of boto3-stubs if that is installed, or else one of which every use is correct. Both imports
# are of all names: of a single name that does not exist, Pyright keeps the unknown type.

try:
    from mypy_boto3_s3.client import *  # noqa: F403
except ImportError:
    from core.storage._boto.without_stubs import *  # noqa: F403
