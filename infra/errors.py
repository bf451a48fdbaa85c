"""The errors of `infra`: each is a sentence that says what to do next, and knows its exit code.

InfraError                   1   a difference was found, or a check failed
├── UsageError               2   wrong usage or configuration; nothing was changed
└── UnreachableError         3   a service could not be reached
"""

from __future__ import annotations


class InfraError(Exception):
    """A failure that the user can act on. The command line prints its message and exits with its code."""

    exit_code = 1


class UsageError(InfraError):
    """What was asked for is wrong: a setting, an argument, a file. Nothing was changed."""

    exit_code = 2


class UnreachableError(InfraError):
    """A store, or another service, could not be reached."""

    exit_code = 3
