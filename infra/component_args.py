"""The arguments of the component `Storage`: the settings of an environment, as types.

`infra.config.definitions` describes and checks them; a test compares the two. No value is a `pulumi.Input`,
because settings must be known before the update.

Without `from __future__ import annotations`: Pulumi's component provider host reads the annotations, which would
be strings with it.
"""

from typing import Any, Required, TypedDict


class ExpirySettings(TypedDict):
    """A rule by which objects expire."""

    prefix: str
    days: int


class BucketSettings(TypedDict, total=False):
    """The settings of one bucket."""

    name: str
    versioning: bool
    noncurrentDays: int
    expire: list[ExpirySettings]
    abortMultipartDays: int
    softDeleteDays: int
    corsOrigins: list[str]


#: Not a class, because `in` is a keyword of Python.
BucketPairSettings = TypedDict("BucketPairSettings", {"in": BucketSettings, "out": BucketSettings}, total=False)


class SlotSettings(TypedDict, total=False):
    """Which access keys an identity has during a rotation."""

    current: Required[str]
    step: str
    since: str


class EksSettings(TypedDict):
    """Service accounts of an EKS cluster."""

    provider: str
    serviceAccounts: list[str]


class TrustSettings(TypedDict, total=False):
    """Who may assume the roles of identities."""

    github: list[str]
    eks: EksSettings
    principals: list[str]


class StorageArgs(TypedDict, total=False):
    """The settings of an environment, as in ``environments/Pulumi.<environment>.yaml``.

    docs/reference/settings.md describes them. Access keys are not arguments, so that no resource holds them: they
    come from the variables ``MPR_...``.
    """

    target: Required[str]
    endpoint: str
    publicEndpoint: str
    region: str
    location: str
    jurisdiction: str
    project: str
    account: str
    addressingStyle: str
    credentials: str
    slots: dict[str, SlotSettings]
    maxKeyAgeDays: int
    trust: TrustSettings
    permissionsBoundary: str
    tags: dict[str, str]
    encryption: str
    adopt: bool
    adoptIdentities: bool
    disposable: bool
    buckets: BucketPairSettings
    #: A name of rights, or a mapping that says more: Pulumi's schemas have no union of the two.
    identities: list[Any]
