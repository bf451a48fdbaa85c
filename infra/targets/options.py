"""Options of resources: their parent, what protects them, what they adopt, and how errors are explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi

from infra.config.environment import EnvironmentConfig
from infra.config.stack_files import NAMESPACE
from infra.targets.registry import TARGETS
from infra.targets.state import State

_BRIEF = 300


@dataclass(frozen=True)
class Options:
    """The options of all resources below one parent."""

    config: EnvironmentConfig
    parent: pulumi.Resource
    #: Called with every error of the target's provider; None if the target explains no error.
    hook: pulumi.ErrorHook | None
    #: The state after the last update.
    state: State
    #: None: the one of the parent.
    provider: pulumi.ProviderResource | None = None
    #: Whether the bucket existed before the environment: adopted by this update or by an earlier one.
    adopted: bool = False

    def below(self, parent: pulumi.Resource) -> Options:
        """Return the options of resources below another parent."""
        return replace(self, parent=parent)

    def with_provider(self, provider: pulumi.ProviderResource) -> Options:
        """Return the options of resources that this provider creates."""
        return replace(self, provider=provider)

    def of_bucket(self, *, adopted: bool) -> Options:
        """Return the options of a bucket and its parts."""
        return replace(self, adopted=adopted)

    @property
    def deletes_content(self) -> bool:
        """Whether the bucket is deleted with its objects: if the environment is disposable and created it."""
        return self.config.disposable and not self.adopted

    def provider_of(self, package: str) -> pulumi.ProviderResource | None:
        """Return the provider that the options of the component name for a package; None if there is none."""
        return self.parent.get_provider(f"{package}:index:any")

    def base(self, former_name: str) -> pulumi.ResourceOptions:
        """Return the options of every resource.

        Args:
            former_name: its name before there were component resources, when all resources were in the stack
                itself. The alias keeps the resources of stacks from that time.
        """
        # With the project: in another one, the alias would take over resources of that name, such as `app`.
        alias = pulumi.Alias(name=former_name, parent=None, project=NAMESPACE)
        return pulumi.ResourceOptions(parent=self.parent, aliases=[alias])

    def plain(self, former_name: str, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Return the options of a resource in a cloud that can be created again."""
        hooks = pulumi.ResourceHookBinding(on_error=[self.hook]) if self.hook else None
        others = pulumi.ResourceOptions(provider=self.provider, depends_on=list(depends_on), hooks=hooks)
        return _merged(self.base(former_name), others)

    def left(self, former_name: str) -> pulumi.ResourceOptions:
        """Return the options of a setting that stays as it is when it is no longer configured."""
        return _merged(self.plain(former_name), pulumi.ResourceOptions(retain_on_delete=True))

    def kept(self, former_name: str, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Return the options of buckets and what guards them.

        They are protected, unless the environment is disposable. Then `destroy` deletes those that the environment
        created, and leaves adopted ones in the cloud.
        """
        protect = not self.config.disposable or None  # None: as the parent is
        retain = not self.deletes_content or None
        return _merged(
            self.plain(former_name, depends_on), pulumi.ResourceOptions(protect=protect, retain_on_delete=retain)
        )

    def identity(self, former_name: str, import_id: str) -> pulumi.ResourceOptions:
        """Return the options of a user, role or service account, which `adoptIdentities` adopts by its ID."""
        plain = self.plain(former_name)
        return _merged(plain, pulumi.ResourceOptions(import_=import_id)) if self.config.adopt_identities else plain

    def bucket(
        self, former_name: str, name: str | None, *, keeps: Sequence[str] = (), import_id: str | None = None
    ) -> pulumi.ResourceOptions:
        """Return the options of a bucket, which `adopt` adopts by its name.

        What an adopted bucket keeps, it keeps also after `adopt` is no longer configured.

        Args:
            former_name: as for `base`.
            name: its name, if it is configured.
            keeps: properties that an adopted bucket keeps as they were.
            import_id: the ID by which the provider finds it, if that is not the name.
        """
        options = self.kept(former_name)
        if self.adopted:
            options = _merged(options, pulumi.ResourceOptions(ignore_changes=list(keeps)))
        if self.config.adopt:
            options = _merged(options, pulumi.ResourceOptions(import_=import_id or name))
        return options


def error_hook(config: EnvironmentConfig) -> pulumi.ErrorHook | None:
    """Return a hook that says what to do next, after the provider has said in its words what went wrong.

    None if the target explains no error: for a hook, Pulumi starts a server in the process of the program.
    """
    target = TARGETS[config.target]
    if not target.explanations:
        return None

    def explain(failed: pulumi.ErrorHookArgs) -> bool:
        sentence = target.next_step(failed.name, "\n".join(failed.errors))
        if sentence:
            pulumi.log.error(sentence)
        return False  # the provider itself tries again where that helps

    return pulumi.ErrorHook(f"mpr-storage-{config.environment}", explain)


def brief(text: str) -> str:
    """Return what a provider said, in one line that fits into a sentence."""
    return " ".join(text.split())[:_BRIEF]


def _merged(one: pulumi.ResourceOptions, other: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(one, other)
