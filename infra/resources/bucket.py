"""The bucket resource."""

from __future__ import annotations

from contextlib import suppress

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra.errors import UnreachableError
from infra.resources.provider import Props, StoreProvider, difference, differing, say
from infra.stores import settings

_CREATED = "created"


class BucketProvider(StoreProvider):
    """Creates, adopts, reads, updates and deletes a bucket, see `infra.stores.buckets`.

    The output `created` is whether the environment created the bucket. If it is false, or missing in the state of
    an earlier version, the bucket may have existed before and is never deleted.
    """

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Announce that an existing bucket is adopted, and that a bucket with the former name stays."""
        former, name = olds.get("name"), news["name"]
        if former != name:
            if former:
                say(f"bucket {former} stays with its objects: this environment uses {name} from now on")
            with suppress(UnreachableError):  # a preview works without the store, and an update fails by itself
                self._announce_adoption(news)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Return the differences. A new name is an update as well: a replacement would delete the old bucket."""
        return difference(
            differing(
                olds, news, "name", *settings.ATTRIBUTES, "endpoint", "region", "addressingStyle", "disposable"
            ),
            [],
        )

    def create(self, props: Props) -> CreateResult:
        """Create the bucket, or adopt an existing one."""
        return CreateResult(props["name"], props | {_CREATED: self._ensure(props)})

    def read(self, id_: str, props: Props) -> ReadResult:
        """Return the actual settings of the bucket, so that a refresh shows changes that Pulumi did not make."""
        from infra.stores import buckets  # noqa: PLC0415  # imports botocore, which a diff does not need

        bucket = buckets.read(self.store(props), props["name"])
        if bucket is None:
            return ReadResult(None, {})
        if bucket.versioning is None:  # the administrator's key may not read the settings
            return ReadResult(id_, props, {name: value for name, value in props.items() if name != _CREATED})
        others = {name: value for name, value in props.items() if name not in settings.ATTRIBUTES}
        actual = others | settings.to_props(bucket)
        if "versioning" not in props:
            del actual["versioning"]  # not configured, so not a difference
        return ReadResult(id_, actual, {name: value for name, value in actual.items() if name != _CREATED})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Change the settings that differ. With a new name or endpoint, create or adopt the bucket there."""
        created: bool | None = self._ensure(news)
        if not created and not differing(olds, news, "name", "endpoint"):
            created = olds.get(_CREATED)
        return UpdateResult(news | {_CREATED: created})

    def delete(self, _id: str, props: Props) -> None:
        """Delete a bucket that the environment created; keep one that existed before, and say so.

        Its objects are deleted only if the environment was disposable when it was last deployed.
        """
        from infra.stores import buckets, contents, origin  # noqa: PLC0415

        store, name, environment = self.store(props), props["name"], props.get("environment")
        if props.get(_CREATED) or (environment and origin.is_created_by(store, name, environment)):
            buckets.delete(store, name, with_content=props["disposable"])
        elif (counted := contents.count(store, name)) is not None:
            say(origin.kept(name, counted, is_known=props.get(_CREATED) is not None))

    def _ensure(self, props: Props) -> bool:
        """Create or update the bucket; return whether this environment created it, now or earlier."""
        from infra.stores import buckets, origin  # noqa: PLC0415

        store, environment = self.store(props), props["environment"]
        ensured = buckets.ensure(store, settings.from_props(props), environment)
        return ensured.created or origin.is_created_by(store, props["name"], environment)

    def _announce_adoption(self, props: Props) -> None:
        from infra.stores import buckets, origin  # noqa: PLC0415

        store, name = self.store(props), props["name"]
        if buckets.read(store, name) and not origin.is_created_by(store, name, props["environment"]):
            say(f"bucket {name} exists: it is adopted with its objects, and never deleted with this environment")


class Bucket(Resource, module="storage", name="Bucket"):
    """A bucket on an S3-compatible store. Protected, and kept by `destroy`, unless it is disposable."""

    name: pulumi.Output[str]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        keep = not props["disposable"] or None  # None: as the parent is
        guarded = pulumi.ResourceOptions(protect=keep, retain_on_delete=keep)
        super().__init__(BucketProvider(), name, props, pulumi.ResourceOptions.merge(guarded, opts))
