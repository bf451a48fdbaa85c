from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores.access_key import AccessKey
from infra.stores.codes import code_of
from infra.stores.store import Store, explained, refusal, s3_client

STORE = Store("http://store:9000", "us-east-1", AccessKey("ADMINKEY", "hush"))


def client_error(code: str, message: str = "words") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Something")


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (
            "InvalidAccessKeyId",
            UsageError,
            r"does not accept the admin key \.\.\.NKEY \(InvalidAccessKeyId\); check MPR_ADMIN_",
        ),
        ("SignatureDoesNotMatch", UsageError, r"does not accept the admin key \.\.\.NKEY"),
        ("InvalidClientTokenId", UsageError, r"does not accept the admin key \.\.\.NKEY"),
        (
            "RequestTimeTooSkewed",
            UsageError,
            r"this machine's clock differs too much from that of http://store:9000; correct",
        ),
        ("RequestExpired", UsageError, "correct the clock"),
        ("AccessDenied", UsageError, r"the admin key \.\.\.NKEY may not do this at http://store:9000"),
        ("403", UsageError, r"may not do this"),
        ("AccessForbidden", UsageError, r"may not do this"),
        ("XMinioServerNotInitialized", UnreachableError, "http://store:9000 is not ready yet"),
        ("ServiceUnavailable", UnreachableError, "try again in a few seconds"),
        ("Busy", InfraError, "http://store:9000 responded Busy: words"),
    ],
)
def test_a_refusal_is_reported_with_what_to_do(code, kind, said):
    with pytest.raises(kind, match=f"^testing: .*{said}") as caught, explained(STORE, "testing"):
        raise client_error(code)
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, ClientError)
    assert "hush" not in str(caught.value)
    assert "ADMINKEY" not in str(caught.value)
    assert str(refusal(STORE, "testing", code, "words")) == str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://store:9000"),
        ReadTimeoutError(endpoint_url="http://store:9000"),
    ],
)
def test_a_store_without_a_response_is_unreachable(error):
    with (
        pytest.raises(UnreachableError, match="testing: no useful response from http://store:9000") as caught,
        explained(STORE, "testing"),
    ):
        raise error
    assert caught.value.exit_code == 3


def test_a_response_without_its_members_is_not_from_an_api_of_the_store():
    with (
        pytest.raises(
            UsageError, match="testing: the response is not from an API of the store at http://store:9000"
        ),
        explained(STORE, "testing"),
    ):
        raise KeyError("Buckets")


def test_an_error_that_is_no_response_of_a_store_is_raised_unchanged():
    for error in (ValueError("bug"), InfraError("said already"), KeyboardInterrupt()):
        with pytest.raises(type(error)), explained(STORE, "testing"):
            raise error


def test_equal_stores_share_their_clients(seaweed_store):
    again = Store(seaweed_store.endpoint, seaweed_store.region, AccessKey(*vars(seaweed_store.admin).values()))
    assert again is not seaweed_store
    assert again.s3 is seaweed_store.s3
    assert again.iam is seaweed_store.iam
    other = AccessKey("other-key", "other-secret")
    assert s3_client(seaweed_store, other) is not seaweed_store.s3
    assert Store(seaweed_store.endpoint, seaweed_store.region, other).iam is not seaweed_store.iam


def test_a_minio_client_is_shared_too():
    assert STORE.minio is Store(*vars(STORE).values()).minio


def test_the_code_of_an_iam_response_with_an_error_document_of_s3_is_found():
    assert code_of(ClientError({"Code": "InvalidAccessKeyId"}, "ListUsers")) == "InvalidAccessKeyId"  # type: ignore[typeddict-unknown-key]  # SeaweedFS 4.48
    assert code_of(ClientError({}, "ListUsers")) == "Unknown"
