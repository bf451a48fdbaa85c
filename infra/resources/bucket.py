"""The bucket resource."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra.resources.provider import Props, StoreProvider, difference, differing, say
from infra.stores import settings

_CREATED = "created"


class BucketProvider(StoreProvider):
    """Creates, adopts, reads, updates and deletes a bucket, see `infra.stores.buckets`.

    Output `created` says whether the environment created the bucket. False, or absent in a state that an earlier
    version wrote: the bucket existed before, or may have, and is never deleted.
    """

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """A new name is a new bucket; everything else is changed in place."""
        changed = differing(olds, news, *settings.ATTRIBUTES, "endpoint", "region", "disposable")
        return difference(changed, differing(olds, news, "name"))

    def create(self, props: Props) -> CreateResult:
        """Create the bucket, or adopt the one that is there."""
        return CreateResult(props["name"], props | {_CREATED: self._ensure(props)})

    def read(self, id_: str, props: Props) -> ReadResult:
        """The bucket as it is, so that a refresh shows what was changed behind Pulumi's back."""
        from infra.stores import buckets  # noqa: PLC0415  # boto3 only once something is to be done

        bucket = buckets.read(self.store(props), props["name"])
        if bucket is None:
            return ReadResult(None, {})
        others = {name: value for name, value in props.items() if name not in settings.ATTRIBUTES}
        actual = others | settings.to_props(bucket)
        if "versioning" not in props:
            del actual["versioning"]  # left to the store, so not a difference
        return ReadResult(id_, actual, {name: value for name, value in actual.items() if name != _CREATED})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Change what differs, in place."""
        created: bool | None = self._ensure(news)
        if not created and olds["endpoint"] == news["endpoint"]:
            created = olds.get(_CREATED)
        return UpdateResult(news | {_CREATED: created})

    def delete(self, _id: str, props: Props) -> None:
        """Delete the bucket that the environment created; keep one that existed before, and say so.

        What is in it is deleted only if the environment was disposable when it was last deployed.
        """
        from infra.stores import buckets, origin  # noqa: PLC0415

        store, name, environment = self.store(props), props["name"], props.get("environment")
        if props.get(_CREATED) or (environment and origin.is_created_by(store, name, environment)):
            buckets.delete(store, name, with_content=props["disposable"])
        else:
            self._keep(props)

    def _ensure(self, props: Props) -> bool:
        """Ensure the bucket; return whether this environment created it, now or earlier."""
        from infra.stores import buckets, origin  # noqa: PLC0415

        store, environment = self.store(props), props["environment"]
        ensured = buckets.ensure(store, settings.from_props(props), environment)
        return ensured.created or origin.is_created_by(store, props["name"], environment)

    def _keep(self, props: Props) -> None:
        from infra.stores import contents, origin  # noqa: PLC0415

        held = contents.count(self.store(props), props["name"])
        if held is not None:
            say(origin.kept(props["name"], held, is_known=props.get(_CREATED) is not None))


class Bucket(Resource, module="storage", name="Bucket"):
    """A bucket on an S3-compatible store. Protected, and kept by `destroy`, unless it is disposable."""

    name: pulumi.Output[str]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        keep = not props["disposable"]
        guarded = pulumi.ResourceOptions(protect=keep, retain_on_delete=keep)
        super().__init__(BucketProvider(), name, props, pulumi.ResourceOptions.merge(guarded, opts))
