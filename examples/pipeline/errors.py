"""The errors of the example: each is a sentence that says what to do next, and knows its exit code.

PipelineError            1   a chunk, a timeline or a step failed
├── UsageError           2   wrong usage or configuration
└── UnreachableError     3   the database could not be reached
"""

from __future__ import annotations


class PipelineError(Exception):
    """A failure that the user can act on."""

    exit_code = 1


class UsageError(PipelineError):
    """What was asked for is wrong: an argument, a variable, a program that is missing."""

    exit_code = 2


class UnreachableError(PipelineError):
    """A service could not be reached, or went away."""

    exit_code = 3
