"""The templates of new environments: a stack file for each kind of store or cloud, and what to do after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.config import naming
from infra.config.environment import EMBEDDED
from infra.config.identities import ROLES

#: The settings that a template may leave to the user.
VALUES = ("region", "project", "location", "account", "endpoint")

_FOLDER = Path(__file__).parent / "templates"
_ADMIN = "export MPR_ADMIN_ACCESS_KEY_ID=... MPR_ADMIN_SECRET_ACCESS_KEY=..."
_APP = "export MPR_APP_ACCESS_KEY_ID=... MPR_APP_SECRET_ACCESS_KEY=..."


#: A command, and a comment on it.
Instruction = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Template:
    """The stack file ``templates/<name>.yaml``, in which ``<region>`` stands for a region, and so on."""

    name: str
    #: What the steps install: a dependency group of this project, or nothing.
    group: str = ""
    #: Values that apply unless the user chooses others.
    defaults: Mapping[str, str] = field(default_factory=dict)
    #: What gives the deployment its credentials.
    credentials: tuple[Instruction, ...]
    #: The same for the default endpoint.
    here: tuple[Instruction, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """The settings for which the file has a placeholder."""
        content = self._content()
        return tuple(name for name in VALUES if f"<{name}>" in content)

    def render(self, environment: str, values: Mapping[str, str]) -> str:
        """Return the stack file of an environment."""
        buckets = {f"bucket-{role}": naming.bucket(environment, role) for role in ROLES}
        text = self._content().replace("<environment>", environment)
        for name, value in {**buckets, **self.defaults, **values}.items():
            text = text.replace(f"<{name}>", json.dumps(value))  # JSON is YAML: an account of digits stays text
        return text

    def steps(self, values: Mapping[str, str]) -> tuple[Instruction, ...]:
        """Return what is to do before an environment with these values can be deployed."""
        install = ((f"make .venv/{self.group}", "install the provider"),) if self.group else ()
        if self.here and values.get("endpoint") == EMBEDDED:
            return ()  # `up` starts the embedded store, and knows its access key
        is_here = all(values.get(name, value) == value for name, value in self.defaults.items())
        return (*install, *(self.here if self.here and is_here else self.credentials))

    def _content(self) -> str:
        return (_FOLDER / f"{self.name}.yaml").read_text(encoding="utf-8")


def _server(name: str, endpoint: str, where: str) -> Template:
    """Return the template of a store that the Makefile runs on this machine."""
    return Template(
        name=name,
        defaults={"endpoint": endpoint},
        credentials=((_ADMIN, "the access key of its administrator"),),
        here=(
            (f"make {name}-server", f"{where}, unless it runs already"),
            ("set -a; . .local/admin.env; set +a", "the access key of its administrator"),
        ),
    )


_ALL = (
    Template(
        name="aws",
        group="aws",
        credentials=(("export AWS_PROFILE=...", "with the permissions in docs/how-to/deployers.md"),),
    ),
    Template(
        name="gcp",
        group="gcp",
        credentials=(
            ("gcloud auth application-default login", "with the permissions in docs/how-to/deployers.md"),
        ),
    ),
    Template(
        name="r2",
        group="r2",
        credentials=(("export CLOUDFLARE_API_TOKEN=...", "with the permissions in docs/how-to/deployers.md"),),
    ),
    _server("minio", "http://localhost:9000", "in another terminal"),
    _server("seaweedfs", "http://localhost:8333", "in Docker"),
    Template(
        name="s3",
        defaults={"region": "us-east-1"},
        credentials=(
            (_APP, "the access key of app, created on the store"),
            (_ADMIN, "if that access key may not create buckets"),
        ),
    ),
)
TEMPLATES: Mapping[str, Template] = {template.name: template for template in _ALL}
