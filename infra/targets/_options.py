"""How resources in a cloud are registered: what is kept, what is taken over, and how refusals are explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from infra.config import EnvironmentConfig
from infra.targets import _explain

_BRIEF = 300


@dataclass(frozen=True)
class Options:
    """The options of every resource of an environment."""

    config: EnvironmentConfig
    #: None: Pulumi's default provider.
    provider: pulumi.ProviderResource | None = None
    #: Told of every refusal.
    hook: pulumi.ErrorHook = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hook", _explaining(self.config.target))

    def plain(self, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Of what can be made again."""
        return pulumi.ResourceOptions(
            provider=self.provider,
            depends_on=list(depends_on),
            hooks=pulumi.ResourceHookBinding(on_error=[self.hook]),
        )

    def left(self) -> pulumi.ResourceOptions:
        """Of a setting that stays as it is when it is no longer configured."""
        return pulumi.ResourceOptions.merge(self.plain(), pulumi.ResourceOptions(retain_on_delete=True))

    def kept(self, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Of buckets and what guards them: protected, and kept by `destroy`, unless they are disposable."""
        keep = not self.config.disposable
        return pulumi.ResourceOptions.merge(
            self.plain(depends_on), pulumi.ResourceOptions(protect=keep, retain_on_delete=keep)
        )

    def identity(self, import_id: str) -> pulumi.ResourceOptions:
        """Of a user, role or service account: taken over by its id if that is what the environment says."""
        if not self.config.adopt_identities:
            return self.plain()
        return pulumi.ResourceOptions.merge(self.plain(), pulumi.ResourceOptions(import_=import_id))

    def bucket(
        self, name: str | None, *, keeps: Sequence[str] = (), import_id: str | None = None
    ) -> pulumi.ResourceOptions:
        """Of a bucket: taken over by its name if that is what the environment says.

        Args:
            name: its name, if it is configured.
            keeps: what a bucket that is taken over keeps as it was.
            import_id: the id that the provider finds it by, if that is not the name.
        """
        if not self.config.adopt:
            return self.kept()
        taken = pulumi.ResourceOptions(import_=import_id or name, ignore_changes=list(keeps))
        return pulumi.ResourceOptions.merge(self.kept(), taken)


def brief(text: str) -> str:
    """What a provider said, in one line that fits into a sentence."""
    return " ".join(text.split())[:_BRIEF]


def _explaining(target: str) -> pulumi.ErrorHook:
    """Say what to do next, after the provider has said in its own words what went wrong."""

    def explain(failed: pulumi.ErrorHookArgs) -> bool:
        sentence = _explain.next_step(target, failed.name, "\n".join(failed.errors))
        if sentence:
            pulumi.log.error(sentence)
        return False  # trying again is the provider's own business

    return pulumi.ErrorHook(f"mpr-storage-{target}", explain)
