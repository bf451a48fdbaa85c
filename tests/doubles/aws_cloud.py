"""A connection to the tests' AWS, and what the real provider says when AWS refuses something."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from tests.doubles.handler import Handler, Props, Refused

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

#: Where the double of AWS listens.
ENDPOINT = "DOUBLE_ENDPOINT"

_KNOWN = frozenset({"region", "accessKey", "secretKey", "token", "profile", "version", "pluginDownloadURL"})
_SKIPS = "skip"
_SUGGESTIONS = (
    "Please see https://www.pulumi.com/registry/packages/aws/installation-configuration/ for more information "
    "about providing credentials."
)
_NO_REGION = (
    "Missing region information\n"
    "Make sure you have set your AWS region, e.g. `pulumi config set aws:region us-west-2`."
)
_NO_CREDENTIALS = f"No valid credential sources found.\n{_SUGGESTIONS}"
_BAD_CREDENTIALS = f"The configured AWS credentials are invalid or have expired.\n{_SUGGESTIONS}"
#: Once, so that a refusal is one; and never to the real AWS.
_CLIENT = Config(retries={"mode": "standard", "total_max_attempts": 2}, s3={"addressing_style": "path"})


class Aws:
    """The clients of one region, with the account that they are in."""

    def __init__(self, config: Mapping[str, str]) -> None:
        unknown = [one for one in config if one not in _KNOWN and not one.startswith((_SKIPS, "__"))]
        if unknown:
            raise Refused(f"the double of aws does not know the configuration {', '.join(sorted(unknown))}")
        self.region = _region(config)
        self._session = _session(config, self.region)
        self.s3: S3Client = self._client("s3")
        self.iam: IAMClient = self._client("iam")
        self.sts: Any = self._client("sts")
        self.caller = self._caller()
        self.account: str = self.caller["Account"]
        self.partition: str = self.caller["Arn"].split(":")[1]

    @cached_property
    def kms(self) -> Any:
        return self._client("kms")

    @cached_property
    def control(self) -> Any:
        client = self._client("s3control")
        # botocore puts the account before the host, which an address cannot have.
        client.meta.events.register("before-sign.s3-control", _without_account)
        return client

    @property
    def domain(self) -> str:
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def _client(self, service: str) -> Any:
        endpoint = os.environ[ENDPOINT]
        return self._session.client(service, endpoint_url=endpoint, config=_CLIENT)  # type: ignore[call-overload]

    def _caller(self) -> Any:
        try:
            return self.sts.get_caller_identity()
        except NoCredentialsError as error:
            raise Refused(_NO_CREDENTIALS) from error
        except ClientError as error:
            raise Refused(_BAD_CREDENTIALS) from error
        except BotoCoreError as error:
            raise Refused(f"unable to validate AWS credentials.\nDetails: {error}\n") from error


def _without_account(request: Any, **_: Any) -> None:
    url = urlsplit(request.url)
    request.url = url._replace(netloc=urlsplit(os.environ[ENDPOINT]).netloc).geturl()


def _region(config: Mapping[str, str]) -> str:
    region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise Refused(_NO_REGION)
    return region


def _session(config: Mapping[str, str], region: str) -> Session:
    try:
        return Session(
            config.get("accessKey"),
            config.get("secretKey"),
            config.get("token"),
            region_name=region,
            profile_name=config.get("profile"),
        )
    except ProfileNotFound as error:
        raise Refused(f'The AWS profile "{config["profile"]}" was not found.') from error


# --- refusals -------------------------------------------------------------------------------------------


def code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


@contextmanager
def saying(service: str, what: str) -> Iterator[None]:
    """Turn a refusal of AWS into the provider's: what it was about to do, and what its SDK says."""
    try:
        yield
    except ClientError as error:
        raise Refused(f"{what}: {_said(service, error)}") from error


def _said(service: str, error: ClientError) -> str:
    response = error.response
    meta = response["ResponseMetadata"]
    request = f"RequestID: {meta.get('RequestId', '')}"
    # The SDK's models have types for some errors, and those are not called `api error`.
    known = {"BucketAlreadyExists", "BucketAlreadyOwnedByYou", "EntityAlreadyExists", "DeleteConflict"}
    known |= {"LimitExceeded", "NoSuchEntity", "NoSuchBucket", "MalformedPolicyDocument"}
    host = f"{request}, HostID: " if service == "S3" else request
    kind = code(error) if code(error) in known else f"api error {_name(code(error))}"
    status = meta["HTTPStatusCode"]
    return (
        f"operation error {service}: {error.operation_name}, https response error StatusCode: {status}, {host}, "
        f"{kind}: {response['Error'].get('Message', '')}"
    )


def _name(number: str) -> str:
    """A response to HEAD has no error document, only a status."""
    return {"403": "Forbidden", "404": "NotFound", "400": "BadRequest"}.get(number, number)


@contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Go on where AWS says that something is not there."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise


# --- handlers -------------------------------------------------------------------------------------------


class AwsHandler(Handler):
    """A resource type of AWS. What it does not know is refused, never ignored."""

    cloud: Aws
    #: The inputs that the double honours.
    takes: ClassVar[frozenset[str]]
    #: Inputs with a default of the provider's own.
    defaults: ClassVar[Mapping[str, Any]] = {}

    def check(self, name: str, inputs: Props) -> Props:
        unknown = sorted(inputs.keys() - self.takes)
        if unknown:
            raise Refused(f"the double of {self.token} does not know {', '.join(unknown)}", unknown[0])
        return dict(self.defaults) | inputs | self.named_by(name, inputs)

    def named_by(self, name: str, inputs: Props) -> Props:
        """A generated name, if it needs one."""
        del name, inputs
        return {}


#: Names that have no rule.
_NAMES = {"id": "ID", "sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}
_PROPERTIES = {name: key for key, name in _NAMES.items()}


def to_aws(value: Any) -> Any:
    """Properties as parameters of an API: ``daysAfterInitiation`` as ``DaysAfterInitiation``."""
    if isinstance(value, list):
        return [to_aws(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_NAMES.get(key, key[:1].upper() + key[1:]): to_aws(one) for key, one in value.items()}


def from_aws(value: Any) -> Any:
    """The other way round."""
    if isinstance(value, list):
        return [from_aws(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_PROPERTIES.get(key, key[:1].lower() + key[1:]): from_aws(one) for key, one in value.items()}


def tag_list(tags: Mapping[str, str] | None) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tag_map(tags: Collection[Mapping[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in tags if not re.match("aws:", one["Key"])}
