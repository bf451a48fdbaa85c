from __future__ import annotations

from tests.doubles.fixtures import aws, aws_server, plugins

__all__ = ["aws", "aws_server", "plugins"]
