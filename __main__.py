"""Pulumi's entry point."""

from infra.local.environment_lock import lock_for_program
from infra.program import main

main(lock_for_program)
