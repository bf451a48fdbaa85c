"""The page in a real browser: strip, overlays, and an upload from it straight to the store."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from tests.example.conftest import FRAMES

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: Where to keep the picture of the page, for the README.
_PICTURE = "EXAMPLE_PICTURE"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not _CHROMIUM, reason="no `chromium` on PATH (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Chromium's own sandbox takes rights that containers, and root, do not have.
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    page = chromium.new_page(viewport={"width": 1000, "height": 640})
    yield page
    page.close()


@contextmanager
def opened(address: str, browser: Page) -> Iterator[Page]:
    """The page, in which no script fails and nothing is blocked by the Content-Security-Policy."""
    failed: list[Error] = []
    messages: list[str] = []
    browser.on("pageerror", lambda error: failed.append(error))  # noqa: PLW0108  # Playwright marks what it is given
    browser.on("console", lambda message: messages.append(message.text))
    browser.goto(address)
    yield browser
    assert failed == []
    assert [text for text in messages if "Content Security Policy" in text] == []


def loaded(page: Page, selector: str) -> None:
    """Wait until every image there is one."""
    # Not `wait_for_function`, which calls `eval` in the page: its Content-Security-Policy forbids that.
    expect(page.locator(selector).first).to_be_attached()
    for image in page.locator(selector).all():
        expect(image).to_have_js_property("complete", True)  # noqa: FBT003  # the value of the property
        expect(image).not_to_have_js_property("naturalWidth", 0)


def test_the_page_shows_the_frames_and_the_overlays(place, chunk, address, browser, tmp_path):
    timeline = place.done("pipeline", "work", "--once").partition(":")[0]
    place.done("pipeline", "replay", timeline, "--job", "again", "--threshold", "90")
    with opened(address, browser) as page:
        page.locator(f'#chunks button[data-key="{chunk}"]').click()
        loaded(page, "#strip img")
        assert page.locator("#strip img").count() == FRAMES

        expect(page.locator("#facts")).to_have_text("frame 0: 0 boxes, 0.0 % of the pixels changed")
        page.locator("#strip button").nth(7).click()
        loaded(page, "#frame, #overlay")
        expect(page.locator("#facts")).to_contain_text("frame 7: ")
        expect(page.locator("#overlay")).to_have_attribute("src", re.compile(f"/overlays/{timeline}/00000007.png"))
        sizes = page.eval_on_selector_all("#frame, #overlay", "(all) => all.map((one) => one.clientWidth)")
        assert len(set(sizes)) == 1, "the overlay lies on the frame"
        _picture(page, tmp_path)

        page.locator("#shown").uncheck()
        expect(page.locator("#overlay")).to_be_hidden()
        page.locator("#shown").check()
        expect(page.locator("#overlay")).to_be_visible()

        page.locator("#job").select_option("again")
        expect(page.locator("#overlay")).to_have_attribute("src", re.compile(r"/overlays/again/00000007\.png"))
        loaded(page, "#overlay")


def test_a_script_injected_into_the_page_does_not_run(address, browser):
    browser.goto(address)
    script = (
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); return window.ran === true; }"
    )
    assert browser.evaluate(script) is False


def test_an_upload_goes_to_the_store_with_its_progress_shown(place, film, address, browser):
    seen: list[float] = []
    browser.expose_function("seen", lambda value: seen.append(value))  # noqa: PLW0108  # as above
    browser.add_init_script(
        "const real = Object.getOwnPropertyDescriptor(HTMLProgressElement.prototype, 'value');"
        "Object.defineProperty(HTMLProgressElement.prototype, 'value', {get: real.get,"
        " set(value) { real.set.call(this, value); window.seen(value); }});"
    )
    place.migrated()
    with opened(address, browser) as page:
        page.locator("#file").set_input_files(film)
        page.locator("#upload button").click()
        expect(page.locator("#said")).to_contain_text("uploaded chunks/")
        expect(page.locator("#progress")).to_be_visible()
        expect(page.locator("#progress")).to_have_js_property("value", 1)
        (key,) = place.keys("in")
        expect(page.locator(f'#chunks button[data-key="{key}"]')).to_contain_text("waiting for the worker")
        assert seen[0] == 0
        assert seen[-1] == 1
        assert seen == sorted(seen)

        body = place.environment.store.s3.get_object(Bucket=place.bucket("in"), Key=key)
        assert body["Body"].read() == film.read_bytes()
        assert body["ContentType"] == "video/mp4"

        place.done("pipeline", "work", "--once")
        expect(page.locator(f'#chunks button[data-key="{key}"]')).to_contain_text(f"{FRAMES} of {FRAMES} frames")


def test_a_page_of_another_origin_cannot_upload(place, film, address, browser):
    place.migrated()
    browser.goto(address.replace("localhost", "127.0.0.1"))
    browser.locator("#file").set_input_files(film)
    browser.locator("#upload button").click()
    expect(browser.locator("#said")).to_contain_text("does not let this page upload (CORS)")
    assert place.keys("in") == set()


def test_a_broken_chunk_shows_its_reason_and_its_name_is_escaped(place, address, browser):
    place.put("<img src=x onerror=document.title='run'>.mp4", b"no video")
    place.run("pipeline", "work", "--once")
    with opened(address, browser) as page:
        expect(page.locator("#chunks button")).to_contain_text("<img src=x onerror=document.title='run'>.mp4")
        expect(page.locator("#chunks small")).to_contain_text("cannot be decoded")
        assert page.title() == "Frames and overlays"


def _picture(page: Page, folder: Path) -> None:
    path = Path(os.environ.get(_PICTURE, folder / "page.png"))
    page.screenshot(path=path)
    assert 10_000 < path.stat().st_size < 200_000
