"""The page against the rules of WCAG 2, levels A and AA, in each of its states, by axe-core in a real browser."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.example._browser import MARKERS, NARROW, WIDE, at_frame, fits, loaded, opened

pytestmark = MARKERS
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def accessible(page: Page) -> bool:
    """Tell whether axe-core has no finding on what the page shows, and the page needs no scrolling sideways."""
    results = Axe().run(page, options={"runOnly": _RULES})
    assert len(results.response["passes"]) > 5, "the rules ran"
    assert results.violations_count == 0, results.generate_report()
    return fits(page)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def viewport(request: pytest.FixtureRequest) -> dict[str, int]:
    assert isinstance(request.param, dict)
    return request.param


def test_the_page_is_accessible_before_there_are_frames(chromium, address, place, scheme, viewport):
    place.migrated()
    with opened(chromium, address, color_scheme=scheme, viewport=viewport) as page:
        expect(page.locator("#empty")).to_be_visible()
        assert accessible(page)

        routes: list[Route] = []
        page.route("**/api/uploads", lambda route: routes.append(route))  # noqa: PLW0108  # Playwright marks it
        video = FilePayload(name="match.mp4", mimeType="video/mp4", buffer=b"no video")
        page.locator("#file").set_input_files(video)
        expect(page.locator("#progress")).to_be_visible()
        assert accessible(page)

        routes.pop().abort()
        expect(page.get_by_role("alert")).to_contain_text("match.mp4 was not uploaded")
        assert accessible(page)
        page.unroute_all()

        page.locator("#file").set_input_files(video)
        expect(page.locator("#state")).to_contain_text("Waiting for the worker")
        expect(page.locator("#notices")).to_contain_text("Uploaded match.mp4")
        assert accessible(page)

        place.run("pipeline", "work", "--once")
        expect(page.locator("#state.failed")).to_contain_text("cannot be decoded")
        assert accessible(page)


def test_the_page_is_accessible_with_frames(chromium, address, compared, scheme, viewport):
    with opened(chromium, address, color_scheme=scheme, viewport=viewport) as page:
        at_frame(page, 0)
        assert accessible(page)
        page.locator("#strip [role=option]").nth(3).click()
        loaded(page, "figure.a img")
        assert accessible(page)
        page.locator("#compare").check()
        loaded(page, "figure.b img")
        expect(page.locator("#timeline path.b")).to_have_attribute("d", re.compile("^M"))
        assert accessible(page)
        page.locator("#play").click()
        expect(page.locator("#play")).to_have_text("Pause")
        assert accessible(page)


def test_the_check_finds_what_is_wrong(chromium, address, place):
    place.migrated()
    with opened(chromium, address) as page:
        expect(page.locator("#empty")).to_be_visible()
        page.evaluate("document.querySelector('#empty h2').style.color = '#ccc'")
        with pytest.raises(AssertionError, match="color-contrast"):
            accessible(page)
