"""The component resources: `Storage`, and in it a `Bucket` for each role and an `Identity` for each set of rights.

Another Pulumi program in Python uses them as `infra.program` does::

    storage = Storage("prod", {"target": "gcp", "project": "acme-media", "location": "EU"})
    pulumi.export("in", storage.in_bucket)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pulumi

from infra.command_name import COMMAND
from infra.component_args import StorageArgs
from infra.config import naming
from infra.config.definitions import SECRETS
from infra.config.environment import ConfigError, EnvironmentConfig
from infra.config.identities import ROLES, Role
from infra.config.identities import Identity as IdentityConfig
from infra.config.load import parse
from infra.env.outputs import ADOPTED, BUCKET_COMPONENT, COMPONENT_TYPE
from infra.errors import UsageError
from infra.targets import state
from infra.targets.options import Options, error_hook
from infra.targets.program import Access, BucketResources, TargetProgram, load_program
from infra.targets.registry import TARGETS


class Bucket(pulumi.ComponentResource):
    """One of the two buckets, with all of its settings."""

    name: pulumi.Output[str]

    def __init__(self, name: str, program: TargetProgram, role: Role, options: Options) -> None:
        super().__init__(BUCKET_COMPONENT, name, None, pulumi.ResourceOptions(parent=options.parent))
        self.parts: BucketResources = program.bucket(role, options.below(self))
        self.name = pulumi.Output.from_input(self.parts.name)
        self.register_outputs({"name": self.name} | ({ADOPTED: True} if options.adopted else {}))


class Identity(pulumi.ComponentResource):
    """A set of permissions, with its access keys or its role."""

    variables: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        name: str,
        program: TargetProgram,
        identity: IdentityConfig,
        buckets: Mapping[Role, Bucket],
        options: Options,
    ) -> None:
        super().__init__(f"{COMPONENT_TYPE}Identity", name, None, pulumi.ResourceOptions(parent=options.parent))
        parts = {role: buckets[role].parts for role in identity.rights}
        self.access: Access = program.identity(identity, parts, options.below(self))
        self.slots = options.config.slots_of(identity.name)
        #: By variable, so that the state and the output of `pulumi` mask access keys and nothing else.
        self.outputs = self.access.variables(self.slots.current)
        self.variables = pulumi.Output.all(**self.outputs)
        self.register_outputs({"variables": self.outputs})


class Storage(pulumi.ComponentResource):
    """The storage of an environment: its bucket pair, and its identities with their access keys."""

    #: The names of the buckets.
    in_bucket: pulumi.Output[str]
    out_bucket: pulumi.Output[str]
    #: By identity, the variables of the env contract. Access keys are secret.
    identities: pulumi.Output[Mapping[str, Mapping[str, str]]]

    def __init__(
        self, name: str, args: StorageArgs | EnvironmentConfig, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the resources.

        Args:
            name: of the environment, from which names of buckets and identities are made.
            args: the settings.
            opts: passed on to all resources, as Pulumi does it; `providers` replaces the target's own provider.

        Raises:
            InfraError: the settings are wrong, or the deployment cannot succeed; nothing was created.
        """
        config = args if isinstance(args, EnvironmentConfig) else _parse(name, args)
        super().__init__(f"{COMPONENT_TYPE}Storage", name, None, opts)
        last = state.read() if TARGETS[config.target].is_cloud else state.State()
        _refuse_deletion(config, last)
        adopted = {role: config.adopt or config.bucket(role).name in last.adopted for role in ROLES}
        # What all buckets depend on, such as a KMS key, is kept with an adopted bucket.
        options = Options(config, self, error_hook(config), last).of_bucket(adopted=any(adopted.values()))
        program = load_program(config.target)(config, options)
        self.buckets = {
            role: Bucket(naming.bucket(name, role), program, role, options.of_bucket(adopted=adopted[role]))
            for role in ROLES
        }
        self.members = {
            identity.name: Identity(f"mpr-{name}-{identity.name}", program, identity, self.buckets, options)
            for identity in config.identities
        }
        self.in_bucket, self.out_bucket = (self.buckets[role].name for role in ROLES)
        self.identities = pulumi.Output.all(
            **{name: identity.variables for name, identity in self.members.items()}
        )
        self.register_outputs(
            {
                "inBucket": self.in_bucket,
                "outBucket": self.out_bucket,
                "identities": {name: identity.outputs for name, identity in self.members.items()},
            }
        )


def _refuse_deletion(config: EnvironmentConfig, last: state.State) -> None:
    """Refuse a new name of a bucket that the cloud's provider would replace, and so delete with its objects.

    Raises:
        UsageError: the environment is disposable, and a bucket that it created has another name in the state.
    """
    for role in ROLES if config.disposable else ():
        component, name = naming.bucket(config.environment, role), config.bucket(role).name
        former = last.bucket_name(component)
        # Without a configured name, the provider appends random hexadecimal digits to that of the component.
        expected = re.escape(name) if name else f"{re.escape(component)}(-[0-9a-f-]+)?"
        is_kept = former is None or re.fullmatch(expected, former)
        if not is_kept and former not in last.adopted:
            raise UsageError(
                f"buckets.{role}.name: with another name, the bucket {former} would be deleted with its objects, "
                f"because {config.environment} is disposable: keep the name, or delete the environment with "
                f"`{COMMAND} down --delete {config.environment}` first, and deploy it again"
            )


def _parse(name: str, args: StorageArgs) -> EnvironmentConfig:
    source = f"component {name}"
    if problems := list(_problems(args)):
        raise ConfigError(source, problems)
    return parse(name, args, source)


def _problems(args: StorageArgs) -> Iterator[str]:
    """Yield what is wrong with arguments that the configuration of a stack cannot have."""
    for setting in SECRETS:
        if setting in args:
            yield f"{setting}: not an argument; set MPR_ADMIN_ACCESS_KEY_ID and so on (docs/how-to/components.md)"
    for setting in _outputs(args):
        yield f"{setting}: is an output, and must be known before the update: write its value, which is no secret"


def _outputs(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of outputs in an argument."""
    if isinstance(value, pulumi.Output):
        yield path
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _outputs(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _outputs(item, f"{path}[{index}]")
