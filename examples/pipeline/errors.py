"""The errors of the example: each is a sentence that says what to do next, and knows its exit code.

PipelineError            1   a chunk, a timeline or a step failed
├── UsageError           2   wrong usage or configuration
└── UnreachableError     3   the database could not be reached
"""

from __future__ import annotations

import errno

from core.storage import StorageConfigError, StoreUnreachableError


class PipelineError(Exception):
    """A failure that the user can act on."""

    exit_code = 1


class UsageError(PipelineError):
    """What was asked for is wrong: an argument, a variable, a program that is missing."""

    exit_code = 2


class UnreachableError(PipelineError):
    """A service could not be reached, or went away."""

    exit_code = 3


def sentence_of(error: Exception) -> str:
    """Return what to tell the user about a failure of the example or of `core.storage`."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full, and nothing is left half done: make room, or name another disk in TMPDIR"
    return str(error)


def exit_code_of(error: Exception) -> int:
    """Return the exit code of a failure of the example or of `core.storage`."""
    if isinstance(error, PipelineError):
        return error.exit_code
    if isinstance(error, StoreUnreachableError):
        return UnreachableError.exit_code
    return UsageError.exit_code if isinstance(error, StorageConfigError) else PipelineError.exit_code
