"""The site is built without a warning, and its search finds a function without a network, from files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import REPO

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(500),  # the build takes seconds on a quiet machine
    pytest.mark.skipif(not find_spec("sphinx"), reason="no Sphinx: run `make .venv/docs`"),
]
in_chromium = pytest.mark.skipif(not _CHROMIUM, reason="no `chromium` on PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site with the options of `make docs`."""
    made = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    assert " ".join(["sphinx-build", *options, "docs"]) in (REPO / "Makefile").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(REPO / "docs"), str(made)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return made


@pytest.fixture
def browser() -> Iterator[Page]:
    """A narrow page of a browser without a network."""
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_CHROMIUM, args=flags)
        context = started.new_context(viewport={"width": 390, "height": 800}, offline=True)
        yield context.new_page()
        started.close()


def test_every_page_is_in_the_site(site):
    pages = {page.relative_to(REPO / "docs").with_suffix(".html") for page in (REPO / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()


@in_chromium
def test_the_search_finds_a_function_offline(site, browser):
    requested: list[str] = []
    browser.on("request", lambda request: requested.append(request.url))
    browser.goto(f"file://{site}/search.html?q=temporary_download")
    expect(browser.locator("#search-results a", has_text="temporary_download").first).to_be_visible()
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []


@in_chromium
@pytest.mark.parametrize("page", ["index", "tutorial", "reference/library", "reference/settings"])
def test_a_page_fits_a_narrow_screen(site, browser, page):
    browser.goto(f"file://{site}/{page}.html")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
