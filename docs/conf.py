"""The site: Sphinx, MyST (plain Markdown) and Furo, because all are maintained and their search works offline."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

project = "mpr-storage"
author = "the authors of mpr-storage"
version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_generate"]
nitpicky = True
# Links to headings are checked: `page.md#heading`, as on GitHub.
myst_heading_anchors = 4
# A block of code is shown in the colours of its language even where it has an ellipsis or a placeholder.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"mpr-storage {version}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False


def add_navigation(_app: object, page: str, source: list[str]) -> None:
    """Make the navigation from the lists of the start page, which stays plain Markdown."""
    if page == "index":
        for caption, section in re.findall(r"^## ([^\n]+)\n(.+?)(?=^## |\Z)", source[0], re.DOTALL | re.MULTILINE):
            pages = re.findall(r"^- \[.*?\]\(([\w/-]+)\.md\)", section, re.MULTILINE)
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def add_files(_app: object, page: str, source: list[str]) -> None:
    """Copy Markdown files outside docs that a page links to, as MyST does with other files."""
    up = page.count("/") + 1
    source[0] = re.sub(rf"\]\(((?:\.\./){{{up}}}[^)#]+\.md)\)", r"](path:\1)", source[0])


def setup(app: Any) -> None:
    """Connect what this file adds to Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("source-read", add_files)
