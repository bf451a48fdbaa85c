"""The regions of a page between `<!-- generated: NAME -->` and `<!-- end -->`, and what belongs into each."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from docs._generate import commands, errors, library, settings

#: The pages with generated regions.
PAGES = sorted((Path(__file__).parents[1] / "reference").glob("*.md"))

_REGION = re.compile(r"^<!-- generated: (.+?) -->\n.*?^<!-- end -->$", re.DOTALL | re.MULTILINE)

#: The content of each region, by its name.
REGIONS: dict[str, Callable[[], str]] = {
    **library.REGIONS,
    **commands.REGIONS,
    **settings.REGIONS,
    **errors.REGIONS,
}


def names(page: str) -> list[str]:
    """Return the names of the regions of a page, in order."""
    return [match[1] for match in _REGION.finditer(page)]


def filled(page: str) -> str:
    """Return the page with each region as the code says it."""
    return _REGION.sub(lambda match: f"<!-- generated: {match[1]} -->\n{REGIONS[match[1]]()}\n<!-- end -->", page)
