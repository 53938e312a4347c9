"""The page in a real browser: no network, no error, filters that work, harmless titles, quick with ten thousand turns."""

import json
import os
import shutil
import time

import pandas as pd
import pytest
from small_runs import replay, simulate

from simulator.report.html.page import write_page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[browser]'")
expect = sync_api.expect
BROWSER = os.environ.get("SCREENTEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium on the PATH, or SCREENTEST_BROWSER")
ARMS = '{"template b": {}, "template a": {"prompts.feedback": "template_a"}}'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = simulate(tmp_path_factory.mktemp("browser") / "run", f"arms={ARMS}", "cold_start.lengths=null")
    write_page(run.path)
    return run


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Opens a page, and at the end of the test holds that it fetched nothing and complained of nothing."""
    wrong = []

    def open_page(path, **options):
        page = chromium.new_page(**options)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None,
        )
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(f"file://{path / 'report.html'}")
        page.wait_for_selector("#turn h3")
        return page

    yield open_page
    assert wrong == []


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_window(run, opened, width, scheme):
    page = opened(run.path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 26)")
    assert page.locator("figure svg").count() >= 7
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper


def test_filters_search_and_keys(run, opened):
    page = opened(run.path, viewport={"width": 1440, "height": 900})
    count, heading, rows = page.locator("#count"), page.locator("#turn h3").first, page.locator(".row")
    expect(count).to_have_text("24 of 24 turns")
    page.select_option("#arm", label="template a")
    expect(count).to_have_text("12 of 24 turns")
    users = [turn["user_id"] for turn in run.turns if turn["arm"] == "template a"]
    expect(heading).to_have_text(f"template a, user {users[0]}")
    page.focus("#list")
    page.keyboard.press("ArrowDown")
    expect(heading).to_have_text(f"template a, user {users[1]}")
    page.keyboard.press("End")
    expect(heading).to_have_text(f"template a, user {users[-1]}")
    page.fill("#query", users[-1])
    expect(count).not_to_have_text("12 of 24 turns")
    page.select_option("#other", label="template b")
    expect(page.locator("#turn .sides > div")).to_have_count(2)
    page.fill("#query", "no such thing anywhere")
    expect(page.locator("#turn")).to_have_text("No turn fits these filters.")
    expect(count).to_have_text("0 of 24 turns")
    title = pd.read_parquet(run.path / "items.parquet")["title"].iloc[0]
    page.fill("#query", title)
    expect(rows).not_to_have_count(0)


def test_a_title_that_is_markup_does_nothing(run, opened, tmp_path):
    again = replay(run, tmp_path / "evil")
    items = pd.read_parquet(again.path / "items.parquet")
    items["title"] = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    items.to_parquet(again.path / "items.parquet", index=False)
    write_page(again.path)
    page = opened(again.path)
    assert "<img src=x onerror=alert(2)>" in page.inner_text("#turn")
    assert page.locator("#turn img").count() == 0


def test_ten_thousand_turns_are_there_in_three_seconds(run, opened, tmp_path):
    again = replay(run, tmp_path / "many")
    lines = again.bytes_of("turns.jsonl").decode().splitlines()
    many = [json.loads(line) | {"user_id": f"u{number}"} for number in range(417) for line in lines][:10_000]
    (again.path / "turns.jsonl").write_text("".join(f"{json.dumps(turn)}\n" for turn in many))
    write_page(again.path)
    began = time.perf_counter()
    page = opened(again.path, viewport={"width": 1440, "height": 900})
    took = time.perf_counter() - began
    expect(page.locator("#count")).to_have_text("10,000 of 10,000 turns")
    assert page.locator(".row").count() < 60, "only what is in sight is drawn"
    assert took < 3
    page.focus("#list")
    page.keyboard.press("End")
    expect(page.locator("#turn h3").first).to_contain_text("user u416")
