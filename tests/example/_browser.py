"""Chromium for the tests of the page, and what every state of the page must hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: The markers of a module with tests of the page.
MARKERS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no `chromium` on PATH (Debian: apt-get install chromium)"),
]
WIDE, NARROW = {"width": 1180, "height": 860}, {"width": 390, "height": 844}
#: A script that collects what the Content-Security-Policy blocks, in `window.violations`.
COLLECT_VIOLATIONS = (
    "window.violations = []; document.addEventListener('securitypolicyviolation',"
    " (event) => window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));"
)

# How long an expectation waits before it fails: a busy machine delays the page by seconds.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Chromium's own sandbox takes rights that containers, and root, do not have.
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@contextmanager
def opened(chromium: Browser, address: str, **options: object) -> Iterator[Page]:
    """Open the page in a profile of its own. No script may fail and the policy of the page may block nothing."""
    failed: list[Error] = []
    with closing(chromium.new_page(**{"viewport": WIDE, **options})) as page:  # type: ignore[arg-type]  # passed on
        page.add_init_script(COLLECT_VIOLATIONS)
        page.on("pageerror", lambda error: failed.append(error))  # noqa: PLW0108  # Playwright marks what it is given
        page.goto(address)
        yield page
        assert failed == []
        assert page.evaluate("window.violations") == []


def loaded(page: Page, selector: str) -> None:
    """Wait until every visible image of the selector has loaded."""
    # Not `wait_for_function`, which calls `eval` in the page: its Content-Security-Policy forbids that.
    expect(page.locator(selector).first).to_be_visible()
    for image in page.locator(selector).all():
        expect(image).to_have_js_property("complete", True)  # noqa: FBT003  # the value of the property
        expect(image).not_to_have_js_property("naturalWidth", 0)


def at_frame(page: Page, index: int) -> None:
    """Wait until the page shows this frame: its position, its picture and its place in the strip."""
    expect(page.locator("#position")).to_have_text(f"Frame {index} of 23")
    expect(page.locator("figure.a .frame")).to_have_attribute("alt", f"Frame {index} of match-000.mp4")
    expect(page.locator("#strip [aria-selected=true]")).to_have_attribute("aria-label", f"frame {index}")


def fits(page: Page) -> bool:
    """Tell whether the page needs no scrolling sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
