"""The page in a real browser: frames, overlays, jobs, uploads, keys and links."""

from __future__ import annotations

import os
import re
import time
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.example._browser import COLLECT_VIOLATIONS, MARKERS, NARROW, at_frame, fits, loaded, opened
from tests.example.conftest import FRAMES

#: Where to write the picture of the page, for the README. The dark one gets `-dark` in its name.
_PICTURE = "EXAMPLE_PICTURE"

pytestmark = MARKERS


def dropped(page: Page, *names: str, content: str = "no video") -> None:
    """Drop files onto the page, as the browser does."""
    script = (
        "([names, content]) => { const data = new DataTransfer(); for (const name of names)"
        " data.items.add(new File([content], name, {type: 'video/mp4'})); return data; }"
    )
    data = page.evaluate_handle(script, [list(names), content])
    page.dispatch_event("main", "dragover", {"dataTransfer": data})
    expect(page.locator("body")).to_have_class("dropping")
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    expect(page.locator("body")).not_to_have_class("dropping")


def held(page: Page, url: str) -> list[Route]:
    """Hold back the requests for a URL; the test continues or aborts them."""
    routes: list[Route] = []
    page.route(url, lambda route: routes.append(route))  # noqa: PLW0108  # Playwright marks what it is given
    return routes


def chunk_button(page: Page, key: str):
    return page.locator(f'#chunks li[data-key="{key}"] button')


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('[id], [data-key]')?.outerHTML.split('>')[0]"))


# --- Frames, overlays and jobs -------------------------------------------------------------------------------


def test_the_page_shows_the_frames_and_the_overlays(chromium, address, compared):
    first, second = compared
    with opened(chromium, address) as page:
        loaded(page, "figure.a .frame")
        assert page.locator("#strip img").count() == FRAMES
        at_frame(page, 0)
        expect(page.locator("figure.a .facts")).to_have_text("0 boxes, 0.0 % of the pixels changed")

        page.locator("#strip [role=option]").nth(7).click()
        at_frame(page, 7)
        loaded(page, "figure.a .overlay")
        expect(page.locator("figure.a .overlay")).to_have_attribute("src", re.compile(f"/{first}/00000007.png"))
        places = [page.locator(f"figure.a .{name}").bounding_box() for name in ("frame", "overlay")]
        assert places[0] == places[1], "the overlay lies on the frame"

        page.locator("#overlay").uncheck()
        expect(page.locator("figure.a .overlay")).to_be_hidden()
        page.locator("#overlay").check()
        expect(page.locator("figure.a .overlay")).to_be_visible()

        page.locator("#job").select_option(second)
        expect(page.locator("figure.a .overlay")).to_have_attribute("src", re.compile("/second/00000007.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_its_picture_taken(chromium, address, compared, tmp_path, scheme):
    path = Path(os.environ.get(_PICTURE, tmp_path / "page.png"))
    path = path.with_stem(f"{path.stem}-dark") if scheme == "dark" else path
    with opened(chromium, f"{address}/#frame=9&compare=second", color_scheme=scheme) as page:
        at_frame(page, 9)
        loaded(page, "#panes img")
        for image in page.locator("#strip img").all()[4:14]:  # those in view
            expect(image).not_to_have_js_property("naturalWidth", 0)
        page.set_viewport_size({"width": 1180, "height": 760})
        page.screenshot(path=path)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 24)"
    assert dark == (scheme == "dark")
    assert 10_000 < path.stat().st_size < 300_000


def test_jobs_have_names_of_what_differs(chromium, address, place, compared):
    first, _ = compared
    place.done("pipeline", "replay", first, "--job", "same-threshold", "--threshold", "90")
    with opened(chromium, address) as page:
        expect(page.locator("#job option")).to_have_count(3)
        names = page.locator("#job option").all_inner_texts()
        assert [name[: len("threshold 40, ")] for name in names] == [f"threshold {t}, " for t in (40, 90, 90)]
        assert all(re.search(r", \d\d:\d\d:\d\d", name) for name in names)
        assert len(set(names)) == 3
        place.rows("UPDATE checkpoint SET at = '2026-01-02 12:00' WHERE stage = 'detect' RETURNING at")
        expect(page.locator("#job option").nth(1)).to_have_text(re.compile("^threshold 90, 2 Jan .*:00:00"))
        ends = {name[-6:] for name in page.locator("#job option").all_inner_texts()[1:]}
        assert len(ends) == 2, "jobs with one threshold and one time end with a part of their identifiers"


def test_two_jobs_are_compared_on_one_frame(chromium, address, compared):
    first, second = compared
    with opened(chromium, address) as page:
        expect(page.locator("figure.b")).to_be_hidden()
        page.locator("#compare").check()
        page.locator("#strip [role=option]").nth(5).click()
        for figure, job in (("a", first), ("b", second)):
            overlay = page.locator(f"figure.{figure} .overlay")
            expect(overlay).to_have_attribute("src", re.compile(f"/{job}/00000005.png"))
            expect(page.locator(f"figure.{figure} .frame")).to_have_attribute("src", re.compile("/00000005.jpg"))
        shares = [
            float(re.findall(r"[\d.]+ %", text)[0][:-2]) for text in page.locator(".facts").all_inner_texts()
        ]
        assert shares[0] > shares[1] > 0
        left, right = (page.locator(f"figure.{figure} .picture").bounding_box() for figure in "ab")
        assert left
        assert right
        assert (left["y"], left["width"]) == (right["y"], right["width"])
        assert left["x"] + left["width"] < right["x"]

        page.locator("#job").select_option(second)  # the other one takes its place
        expect(page.locator("#other")).to_have_value(first)
        page.locator("#compare").uncheck()
        expect(page.locator("figure.b")).to_be_hidden()


def test_one_job_cannot_be_compared(chromium, address, place, chunk):
    place.done("pipeline", "work", "--once")
    with opened(chromium, address) as page:
        expect(page.locator("#viewer")).to_be_visible()
        expect(page.locator("#compare")).to_be_disabled()
        expect(page.locator("#why")).to_contain_text("needs a second job")


def test_the_plot_has_a_column_for_each_frame_and_a_click_chooses_one(chromium, address, compared):
    with opened(chromium, address) as page:
        columns = page.locator("#timeline path.a")
        expect(columns).to_have_attribute("d", re.compile("^M"))
        heights = [float(value) for value in re.findall(r"v-([\d.]+)h", columns.get_attribute("d") or "")]
        assert len(heights) == FRAMES
        assert heights[0] == 3, "the first frame has no changes"
        assert max(heights) == 97
        expect(page.locator("#timeline path.b")).to_have_attribute("d", "")
        box = page.locator("#timeline").bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] * 10.5 / FRAMES, box["y"] + 20)
        at_frame(page, 10)
        expect(page.locator("#timeline .now")).to_have_attribute("x", "10")
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 15.5 / FRAMES, box["y"] + 20)
        page.mouse.up()
        at_frame(page, 15)
        page.locator("#compare").check()
        expect(page.locator("#timeline path.b")).to_have_attribute("d", re.compile("^M"))


def test_the_strip_plays_to_its_end_and_pauses(chromium, address, compared):
    with opened(chromium, f"{address}/#frame=20") as page:
        at_frame(page, 20)
        page.locator("#play").click()
        expect(page.locator("#play")).to_have_text("Pause")
        at_frame(page, 23)
        expect(page.locator("#play")).to_have_text("Play")
        page.locator("#play").click()  # from the first frame again
        expect(page.locator("#position")).to_have_text(re.compile(r"Frame [1-4] of"))
        page.locator("#play").click()
        expect(page.locator("#play")).to_have_text("Play")
        position = page.locator("#position").inner_text()
        page.wait_for_timeout(700)
        assert page.locator("#position").inner_text() == position


def test_a_link_opens_the_same_frame(chromium, address, compared):
    with opened(chromium, address) as page:
        at_frame(page, 0)
        page.locator("#compare").check()
        page.locator("#job").select_option("second")
        page.locator("#overlay").uncheck()
        page.locator("#strip [role=option]").nth(12).click()
        expect(page).to_have_url(re.compile("frame=12&job=second&compare=.*&overlay=off"))
        link = page.url
        with opened(chromium, link) as other:
            at_frame(other, 12)
            expect(other.locator("#job")).to_have_value("second")
            expect(other.locator("#other")).to_have_value(compared[0])
            expect(other.locator("#overlay")).not_to_be_checked()
            expect(other.locator("figure.a .overlay")).to_be_hidden()
            other.goto(f"{link.split('&')[0]}&frame=999")  # the same document: only its hash differs
            at_frame(other, 23)
            expect(other.locator("figure.b")).to_be_hidden()
            other.goto(f"{address}/#timeline=nothing")
            expect(other.locator("#state")).to_contain_text("names a video that is not there")
            expect(other.locator("#viewer")).to_be_hidden()


# --- Live updates and errors ---------------------------------------------------------------------------------


def test_the_empty_page_says_what_to_do(chromium, address, place):
    place.migrated()
    with opened(chromium, address) as page:
        expect(page.locator("#empty")).to_contain_text("Drop a video anywhere on this page")
        expect(page.locator("#viewer, #state")).to_have_count(2)
        expect(page.locator("#viewer")).to_be_hidden()
        expect(page.locator("#state")).to_be_hidden()


def test_a_chunk_without_frames_shows_its_state_and_no_frame_of_another(chromium, address, place, compared):
    name = "z<img src=x onerror=document.title='run'>.mp4"
    failed = place.put(name, b"no video")
    place.run("pipeline", "work", "--once")
    waiting = place.put("waiting.mp4", b"no video")
    with opened(chromium, address) as page:
        loaded(page, "figure.a .frame")
        page.locator("#chunks button", has_text=name).click()
        expect(page.locator("#state.failed")).to_contain_text(f"{failed} gives no frames: it cannot be decoded")
        expect(page.locator("#viewer")).to_be_hidden()
        expect(page.locator("#chunks small.failed")).to_contain_text("cannot be decoded")
        chunk_button(page, waiting).click()
        expect(page.locator("#state")).to_contain_text("Waiting for the worker")
        expect(page.locator("#viewer")).to_be_hidden()

        routes = held(page, "**/*.jpg*")  # the frame of the next chunk does not arrive
        page.locator("#chunks button").first.click()
        expect(page.locator("#viewer")).to_be_visible()
        expect(page.locator("figure.a .frame")).to_be_hidden()
        for route in routes:
            route.continue_()
        page.unroute_all()
        expect(page.locator("figure.a .frame")).to_be_visible()
        assert page.title() == "Frames and overlays"


def test_live_updates_keep_the_focus(chromium, address, place, compared):
    with opened(chromium, address) as page:
        for selector in ("#chunks button", "#job", "#strip [tabindex='0']", "#timeline"):
            page.locator(selector).first.focus()
            before = focused(page)
            place.put(f"a{selector[1:4]}.mp4", b"no video")  # above the other chunk
            expect(page.locator("#chunks button", has_text=f"a{selector[1:4]}.mp4")).to_be_visible()
            assert focused(page) == before


def test_a_job_grows_while_it_runs_and_the_images_stay(chromium, address, place, compared):
    first, _ = compared
    done = "UPDATE checkpoint SET state = 'running', detail = detail || '{\"done\": 8}' WHERE job_id = %s"
    rows = "DELETE FROM stage_output WHERE job_id = %s AND key > %s RETURNING *"
    kept = place.rows(rows, first, f"overlays/{first}/00000007.png")
    place.rows(f"{done} AND stage = 'detect' RETURNING at", first)
    with opened(chromium, f"{address}/#frame=7&job={first}") as page:
        expect(page.locator("#job option:checked")).to_have_text(re.compile("8 of 24 frames$"))
        loaded(page, "figure.a .overlay")
        before = page.locator("figure.a .overlay").get_attribute("src")
        page.locator("#next").click()
        expect(page.locator("figure.a .facts")).to_have_text("not analyzed yet")
        expect(page.locator("figure.a .overlay")).to_be_hidden()
        assert len(kept) == FRAMES - 8
        place.rows("DELETE FROM checkpoint WHERE job_id = %s RETURNING at", first)
        place.done("pipeline", "work", "--once")
        expect(page.locator("figure.a .facts")).to_contain_text("of the pixels changed")
        page.locator("#previous").click()
        expect(page.locator("figure.a .overlay")).to_have_attribute("src", before or "")


def test_an_error_of_the_server_is_shown_until_it_responds_again(chromium, address, place, compared):
    with opened(chromium, address) as page:
        loaded(page, "figure.a .frame")
        page.route("**/api/chunks", lambda route: route.abort())
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The server of this page does not respond")
        expect(page.locator("figure.a .frame")).to_be_visible()
        page.unroute_all()
        expect(alert).to_have_count(0)


def test_an_address_that_has_expired_is_requested_again(chromium, address, compared):
    with opened(chromium, address) as page:
        loaded(page, "figure.a .frame")
        page.route("**/00000009.jpg*", lambda route: route.fulfill(status=403))
        page.locator("#strip [role=option]").nth(9).click()
        expect(page.get_by_role("alert")).to_contain_text("Frame 9 could not be loaded from the store")
        expect(page.locator("figure.a .frame")).to_be_hidden()
        page.unroute_all()
        at_frame(page, 9)
        expect(page.get_by_role("alert")).to_have_count(0)
        loaded(page, "figure.a img")


# --- Uploads -------------------------------------------------------------------------------------------------


def test_an_upload_goes_to_the_store_with_its_progress_shown(chromium, place, film, address):
    place.migrated()
    with opened(chromium, address) as page:
        seen: list[float] = []
        page.expose_function("seen", lambda value: seen.append(value))  # noqa: PLW0108  # as above
        page.evaluate(
            "() => { const real = Object.getOwnPropertyDescriptor(HTMLProgressElement.prototype, 'value');"
            "Object.defineProperty(HTMLProgressElement.prototype, 'value', {get: real.get,"
            " set(value) { real.set.call(this, value); window.seen(value); }}); }"
        )
        with page.expect_file_chooser() as chooser:
            page.locator("#choose").click()
        chooser.value.set_files(film)
        success = page.locator("#notices").get_by_role("status")
        expect(success).to_have_text(re.compile("^Uploaded match.mp4"))
        expect(page.locator("#sending")).to_be_hidden()
        (key,) = place.keys("in")
        expect(chunk_button(page, key)).to_have_attribute("aria-current", "true")
        expect(page.locator("#state")).to_contain_text("Waiting for the worker")
        expect(page.locator("#choose")).to_be_focused()
        assert seen[0] == 0
        assert seen[-1] == 1
        assert seen == sorted(seen)

        body = place.environment.store.s3.get_object(Bucket=place.bucket("in"), Key=key)
        assert body["Body"].read() == film.read_bytes()
        assert body["ContentType"] == "video/mp4"

        place.done("pipeline", "work", "--once")
        expect(chunk_button(page, key)).to_contain_text(f"{FRAMES} frames, 1 job")
        loaded(page, "figure.a .frame")
        expect(success).to_have_count(0, timeout=10_000)


def test_videos_are_uploaded_by_drag_and_drop(chromium, place, address):
    place.migrated()
    with opened(chromium, address) as page:
        expect(page.locator("#empty")).to_be_visible()
        dropped(page, "one.mp4", "two.mp4")
        expect(page.locator("#notices")).to_contain_text("Uploaded one.mp4, two.mp4.")
        expect(page.locator("#chunks button")).to_have_count(2)
    assert sorted(re.sub("-[0-9a-f]{8}", "", key.split("/")[2]) for key in place.keys("in")) == [
        "one.mp4",
        "two.mp4",
    ]


def test_the_button_is_disabled_while_an_upload_runs(chromium, place, address):
    place.migrated()
    with opened(chromium, address) as page:
        routes = held(page, "**/api/uploads")
        dropped(page, "one.mp4")
        expect(page.locator("#choose")).to_be_disabled()
        expect(page.locator("#progress")).to_be_visible()
        expect(page.locator("#sent")).to_have_text("one.mp4: 0 %")
        data = page.evaluate_handle(
            "() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'two.mp4')); return data; }"
        )
        page.dispatch_event("main", "drop", {"dataTransfer": data})
        expect(page.get_by_role("alert")).to_contain_text("An upload is running")
        routes[0].continue_()
        expect(page.locator("#choose")).to_be_enabled()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("#progress")).to_be_hidden()
    assert len(place.keys("in")) == 1


def test_an_upload_that_fails_is_an_alert_that_goes_away(chromium, place, film, address):
    place.migrated()
    with opened(chromium, address) as page:
        alert = page.get_by_role("alert")
        page.locator("#file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"no video"})
        expect(alert).to_contain_text("a.txt was not uploaded: only videos are")
        red, green, blue = re.findall(r"\d+", alert.evaluate("(alert) => getComputedStyle(alert).color"))[:3]
        assert int(red) > 2 * max(int(green), int(blue)), "an error is red"
        alert.get_by_role("button", name="Close").click()
        expect(alert).to_have_count(0)
        page.locator("#file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"no video"})
        expect(alert).to_be_visible()
        routes = held(page, "**/api/uploads")
        with page.expect_request("**/api/uploads"):
            page.locator("#file").set_input_files(film)
        expect(alert).to_have_count(0)  # while the next upload runs
        expect(page.locator("#progress")).to_be_visible()
        routes[0].continue_()
        expect(page.locator("#notices")).to_contain_text("Uploaded match.mp4")


def test_a_page_of_another_origin_cannot_upload(chromium, place, film, address):
    place.migrated()
    with closing(chromium.new_page()) as page:
        page.goto(address.replace("localhost", "127.0.0.1"))
        page.locator("#file").set_input_files(film)
        expect(page.get_by_role("alert")).to_contain_text("does not allow uploads from this page (CORS)")
    assert place.keys("in") == set()


# --- Keys and widths -----------------------------------------------------------------------------------------


def test_keys_choose_frames_and_play(chromium, address, place, compared):
    place.put("z.mp4", b"no video")
    with opened(chromium, address) as page:
        at_frame(page, 0)
        for key, index in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 23), ("Home", 0),
                           ("ArrowLeft", 0)):  # fmt: skip
            page.keyboard.press(key)
            at_frame(page, index)
        page.keyboard.press("Space")
        expect(page.locator("#play")).to_have_text("Pause")
        page.keyboard.press("Space")
        expect(page.locator("#play")).to_have_text("Play")

        page.keyboard.press("Home")
        page.locator("#strip [role=option]").first.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#strip [role=option]").nth(1)).to_be_focused()
        page.locator("#timeline").focus()
        page.keyboard.press("ArrowUp")
        at_frame(page, 2)
        expect(page.locator("#timeline")).to_have_attribute("aria-valuetext", re.compile(r"^frame 2, \d+ box"))

        page.locator("#job").focus()  # a list of jobs uses the arrows itself
        page.keyboard.press("ArrowDown")
        expect(page.locator("#job")).to_have_value("second")
        at_frame(page, 2)
        page.locator("#overlay").focus()  # a check box uses Space itself
        page.keyboard.press("Space")
        expect(page.locator("#overlay")).not_to_be_checked()
        expect(page.locator("#play")).to_have_text("Play")

        page.locator("#chunks button").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_contain_text("Waiting for the worker")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        at_frame(page, 0)


def test_every_control_has_a_visible_focus_ring(chromium, address, compared):
    ring = (
        "() => { const at = document.activeElement; const style = getComputedStyle(at);"
        " return [at.id || at.role || at.tagName, style.outlineStyle, parseFloat(style.outlineWidth)]; }"
    )
    with opened(chromium, f"{address}/#compare=second") as page:
        at_frame(page, 0)
        rings: list[tuple[str, str, float]] = []
        while len(rings) < 30:
            page.keyboard.press("Tab")
            rings.append(page.evaluate(ring))
            if rings[-1][0] == "BODY":
                break
        names = [name for name, _, _ in rings[:-1]]
        assert names == ["choose", "BUTTON", "job", "other", "previous", "play", "next", "overlay", "compare",
                         "timeline", "option"]  # fmt: skip
        assert all((style, width) == ("solid", 3) for _, style, width in rings[:-1]), rings


def test_a_narrow_window_needs_no_scrolling_sideways(chromium, address, place, compared):
    place.put("x" * 200 + ".mp4", b"no video")
    place.run("pipeline", "work", "--once")
    with opened(chromium, f"{address}/#compare=second", viewport=NARROW) as page:
        at_frame(page, 0)
        assert fits(page)
        left, below = (page.locator(f"figure.{figure}").bounding_box() for figure in "ab")
        assert left
        assert below
        assert left["x"] == below["x"]
        page.locator("#chunks button").last.click()
        expect(page.locator("#state.failed")).to_be_visible()
        assert fits(page)
        dropped(page, "y" * 300 + ".mp4")
        expect(page.get_by_role("alert")).to_be_visible()
        assert fits(page)


# --- Content-Security-Policy ---------------------------------------------------------------------------------


_INSERT = (
    "const element = document.createElement('{0}'); document.body.append(element);"
    " element.{1} = '{2}'; element.click()"
)
_ELSEWHERE = "http://127.0.0.1:9/x"
_BLOCKED = {
    "script-src-elem inline": _INSERT.format("script", "textContent", "window.ran = true"),
    "script-src-attr inline": _INSERT.format("p", "outerHTML", '<p id="x" onclick="window.ran = true"></p>'),
    f"script-src-elem {_ELSEWHERE}": _INSERT.format("script", "src", _ELSEWHERE),
    "style-src-elem inline": _INSERT.format("style", "textContent", "body {color: red}"),
    f"img-src {_ELSEWHERE}": _INSERT.format("img", "src", _ELSEWHERE),
    f"connect-src {_ELSEWHERE}": f"fetch('{_ELSEWHERE}').catch(() => 0)",
    "frame-src ": _INSERT.format("iframe", "src", "/"),
    "form-action ": "const form = document.createElement('form'); document.body.append(form); form.submit()",
}


@pytest.mark.parametrize("violation", _BLOCKED)
def test_the_content_security_policy_blocks_everything_else(chromium, address, violation):
    with closing(chromium.new_page()) as page:
        page.add_init_script(COLLECT_VIOLATIONS)
        page.goto(address)
        page.evaluate(f"() => {{ {_BLOCKED[violation]}; }}")
        deadline = time.monotonic() + 10
        while not (violations := page.evaluate("window.violations")) and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        assert [found for found in violations if found.startswith(violation)], violations
        assert page.evaluate("window.ran") is None
