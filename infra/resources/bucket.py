"""The bucket resource."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra.resources.provider import Props, StoreProvider, difference, differing
from infra.stores import settings


class BucketProvider(StoreProvider):
    """Creates, adopts, reads, updates and deletes a bucket, see `infra.stores.buckets`."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """A new name is a new bucket; everything else is changed in place."""
        changed = differing(olds, news, *settings.ATTRIBUTES, "endpoint", "region", "disposable")
        return difference(changed, differing(olds, news, "name"))

    def create(self, props: Props) -> CreateResult:
        """Create the bucket, or adopt the one that is there."""
        self._ensure(props)
        return CreateResult(props["name"], props)

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
        return ReadResult(id_, actual, actual)

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Change what differs, in place."""
        self._ensure(news)
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Delete the bucket; with what is in it only if the environment was disposable when last deployed."""
        from infra.stores import buckets  # noqa: PLC0415

        buckets.delete(self.store(props), props["name"], with_content=props["disposable"])

    def _ensure(self, props: Props) -> None:
        from infra.stores import buckets  # noqa: PLC0415

        buckets.ensure(self.store(props), settings.from_props(props))


class Bucket(Resource, module="storage", name="Bucket"):
    """A bucket on an S3-compatible store. Protected, and kept by `destroy`, unless it is disposable."""

    name: pulumi.Output[str]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        keep = not props["disposable"]
        guarded = pulumi.ResourceOptions(protect=keep, retain_on_delete=keep)
        super().__init__(BucketProvider(), name, props, pulumi.ResourceOptions.merge(guarded, opts))
