"""The errors of `infra`. Each has a message that says what to do next, and an exit code."""

from __future__ import annotations


class InfraError(Exception):
    """A difference, or another failure that the user can act on. The command line exits with its exit code."""

    exit_code = 1


class NotDeployedError(InfraError):
    """The environment is not deployed."""


class UsageError(InfraError):
    """A setting, an argument or a file is wrong. Nothing was changed."""

    exit_code = 2


class UnreachableError(InfraError):
    """A store, or another service, could not be reached."""

    exit_code = 3
