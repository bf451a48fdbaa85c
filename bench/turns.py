"""Run clients in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.results import without_paths
from bench.verify import NotDoneError

Result = TypeVar("Result")


def in_turns(
    clients: Sequence[str], rounds: int, run: Callable[[str, int], Result]
) -> tuple[list[Result], dict[str, str]]:
    """Call `run` with each client and the number of the round; every round starts with another client.

    Return the results, and the reasons of the clients that did not do their work. Such a client is not run again.
    """
    results: list[Result] = []
    reasons: dict[str, str] = {}
    for number in range(rounds):
        first = number % len(clients) if clients else 0
        for client in (*clients[first:], *clients[:first]):
            if client in reasons:
                continue
            try:
                results.append(run(client, number + 1))
            except NotDoneError as error:
                reasons[client] = without_paths(str(error))
    return results, reasons
