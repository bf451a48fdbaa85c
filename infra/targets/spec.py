"""What is known of a target before anything is created: a record for each. No Pulumi in here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from infra.config.environment import EnvironmentConfig
from infra.config.reader import Reader


@dataclass(frozen=True)
class NameRule:
    """A pattern that the name of a bucket must not match, and the sentence that says so."""

    refused: str
    problem: str
    #: The setting with which the rule does not apply: ``path`` (addressing) or ``adopt``.
    lifted_by: str = ""


@dataclass(frozen=True)
class TagRule:
    """The patterns that the key and the value of a tag must match, and their description."""

    key: str
    value: str
    shape: str

    def problem(self, key: str, value: str) -> str | None:
        """Return why the target refuses the tag, or None."""
        if re.fullmatch(self.key, key) and re.fullmatch(self.value, value):
            return None
        return f"must be {self.shape}, got {key}: {value}"


@dataclass(frozen=True)
class Explanation:
    """What to do next if the error of the target's provider matches a pattern."""

    pattern: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """One target. Its resources are in the module `program` beside its `spec`."""

    name: str
    #: The kinds of credentials that identities may have; the first is the default.
    credentials: tuple[str, ...]
    #: The region that clients sign for by default.
    region: str = ""
    #: The dependency group of this project with the target's provider; empty if it needs none.
    group: str = ""
    #: The Pulumi package of its provider, whose settings a stack file may hold; empty if there is none.
    package: str = ""
    #: Settings that the configuration must have, by their paths.
    required: tuple[str, ...] = ()
    #: Settings that the target cannot honour, each with what to use instead.
    refused: Mapping[str, str] = field(default_factory=dict)
    #: Checks rules about several settings together, and notes problems.
    check: Callable[[Reader, EnvironmentConfig], None] = lambda _read, _config: None

    bucket_names: tuple[NameRule, ...] = ()
    tags: TagRule | None = None
    #: Whether deleting a disposable bucket deletes its objects.
    deletes_objects: bool = True
    #: Characters that the name of an identity may have; None: any number.
    identity_length: int | None = None
    #: Whether names of identities must be lower case.
    lower_case: bool = False
    #: Characters that Pulumi adds to a bucket name that it generates, because names are global.
    random_suffix: int = 0

    #: Whether an access key can be deactivated before it is deleted.
    deactivates_keys: bool = True
    #: Seconds until a new access key is known everywhere; 0: it was tried when it was created.
    settles_within: int = 0
    #: Whether AWS IAM manages its identities: it tells when a key was last used, and `deployer` its policy.
    has_aws_iam: bool = False

    #: How rclone calls the provider of an endpoint (https://rclone.org/s3/#s3-provider).
    rclone_provider: str = "Other"
    #: The ends of the host names of the target's endpoints.
    hosts: tuple[str, ...] = ()
    #: In this order: errors of the target's provider.
    explanations: tuple[Explanation, ...] = ()

    @property
    def is_cloud(self) -> bool:
        """Whether a provider of Pulumi's creates the resources, and not this project's own."""
        return bool(self.group)

    def bucket_name_problem(self, name: str, lifted: Collection[str | None]) -> str | None:
        """Return why the target refuses a bucket of this name, or None; `lifted` names the rules to leave out."""
        rules = (rule for rule in self.bucket_names if rule.lifted_by not in lifted)
        return next((rule.problem for rule in rules if re.match(rule.refused, name)), None)

    def next_step(self, resource: str, error: str) -> str | None:
        """Return the sentence about an error of the target's provider; None for an unknown error."""
        for explanation in self.explanations:
            if re.search(explanation.pattern, error, re.IGNORECASE):
                return f"{resource}: {explanation.sentence}"
        return None
