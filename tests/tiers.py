"""The tiers of the tests: `--tier fast` is `make test`, `--tier rest` is what it leaves out, `--tier all` is both.

The last line of a run says how many tests were left out, by marker, and why.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

#: The markers whose tests are not in the fast tier, and why.
LEFT_OUT = {
    "engine": "needs the `pulumi` command",
    "minio": "needs a `minio` server",
    "versitygw": "needs a `versitygw` server",
    "browser": "needs Chromium",
    "flow": "a whole flow over processes or stores, of which the fast tier has a smoke test",
}

_COUNTS = pytest.StashKey[dict[str, int]]()


def marker_of(item: pytest.Item) -> str | None:
    """Return the marker for which the fast tier leaves a test out, or None if it is in the fast tier."""
    return next((marker for marker in LEFT_OUT if item.get_closest_marker(marker)), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier", choices=["fast", "rest", "all"], default="all", help="which tests run, see tests/tiers.py"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = {}
    for marker, reason in LEFT_OUT.items():
        config.addinivalue_line("markers", f"{marker}: {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tier = config.getoption("tier")
    if tier == "all":
        return
    markers = {item: marker_of(item) for item in items}
    left_out = {item: marker for item, marker in markers.items() if (marker is None) == (tier == "rest")}
    config.stash[_COUNTS] = dict(Counter(marker or "fast" for marker in left_out.values()))
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash[_COUNTS]


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """Take over the counts of a worker: every worker collects all tests, so each has the same counts."""
    node.config.stash[_COUNTS] = getattr(node, "workeroutput", {}).get("left out", {})


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    counts = config.stash[_COUNTS]
    if counts and not hasattr(config, "workerinput"):
        parts = [
            f"{counts[name]} {name} ({LEFT_OUT.get(name, 'the tests of `make test`')})"
            for name in sorted(counts, key=lambda name: -counts[name])
        ]
        print(f"left out: {'; '.join(parts)}")  # noqa: T201  # after the last line of pytest itself
