"""The identity resource: a set of permissions."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra.policies import normalised
from infra.resources.provider import Props, StoreProvider, difference, differing, has_external_keys


class IdentityProvider(StoreProvider):
    """Creates, adopts, reads, updates and deletes an identity, see `infra.stores.keys`."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Return the differences: a new name or kind of credentials replaces the identity, a policy is updated."""
        changed = differing(olds, news, "endpoint", "region", "addressingStyle")
        if normalised(olds["policy"]) != normalised(news["policy"]):
            changed.append("policy")
        return difference(changed, differing(olds, news, "name", "credentials"))

    def create(self, props: Props) -> CreateResult:
        """Create the identity, or adopt an existing one, with this policy."""
        self._ensure(props)
        return CreateResult(props["name"], props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """Return the identity with its actual policy."""
        if has_external_keys(props):
            return ReadResult(id_, props, props)  # managed elsewhere: its policy is not known
        policy = self.manager(props).read_identity(self.store(props), props["name"])
        if policy is None:
            return ReadResult(None, {})
        unchanged = normalised(policy) == normalised(props["policy"])
        actual = props if unchanged else props | {"policy": policy}
        return ReadResult(id_, actual, actual)

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Replace the policy of the identity."""
        self._ensure(news)
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Delete the identity with its access keys."""
        self.manager(props).delete_identity(self.store(props), props["name"])

    def _ensure(self, props: Props) -> None:
        self.manager(props).ensure_identity(self.store(props), props["name"], props["policy"])


class Identity(Resource, module="storage", name="Identity"):
    """A set of permissions on a store."""

    name: pulumi.Output[str]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(IdentityProvider(), name, props, opts)
