"""The live view in a real browser: it plays and pauses, sliders count at a reset, a dialogue is shown, and titles do nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from small_runs import CANARY, KEY_VARIABLE, SCENARIO

from agents.testing.faults import Fault

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[browser]'")
pytest.importorskip("solara", reason="needs the extra 'live': pip install '.[live]'")
expect = sync_api.expect
BROWSER = os.environ.get("SCREENTEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium on the PATH, or SCREENTEST_BROWSER")
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 6 }}"


@contextmanager
def served(*overrides, options=(), **environment):
    """The address of a live view of the small scenario."""
    command = [sys.executable, "-m", "simulator.live", SCENARIO, "--port", "0", *options]
    for override in overrides:
        command += ["--set", override]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        if not said:
            pytest.fail(process.stderr.read())
        yield said.split()[2]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address():
    with served() as address:
        yield address


@pytest.fixture
def opened(chromium):
    """Opens a view, and at the end of the test holds that it fetched nothing from elsewhere and complained of nothing."""
    wrong, pages = [], []

    def open_page(address, **options):
        page = chromium.new_page(**options)
        pages.append(page)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(address) else None
        )
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(address)
        page.wait_for_selector(".live h1")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


def settled(page, number):
    """Wait until so many rounds are settled."""
    expect(page.locator(".live h1")).to_have_text(f"Round {number}")
    if number:
        told = page.locator(".panel [role=img]").first
        expect(told).to_have_attribute("aria-label", re.compile(f"over {number} round"))


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def rounds(page):
    return int(page.inner_text(".live h1").removeprefix("Round "))


def test_it_steps_plays_pauses_and_resets(address, opened):
    page = opened(address, viewport={"width": 1440, "height": 900})
    settled(page, 0)
    expect(page.locator(".panel")).to_have_count(0)
    press(page, "Step")
    settled(page, 1)
    names = page.locator(".panel figcaption span").all_inner_texts()
    assert {"turns", "acceptance", "statuses", "failed share"} <= {*names}
    press(page, "▶")
    expect(page.locator(".live h1")).to_have_text(re.compile(r"Round [3-9]"))
    press(page, "❚❚")
    expect(page.get_by_role("button", name="▶", exact=True)).to_be_visible()
    time.sleep(1)
    stopped = rounds(page)
    time.sleep(1.5)
    assert rounds(page) == stopped
    press(page, "Reset")
    settled(page, 0)


def test_it_is_used_by_keyboard(address, opened):
    page = opened(address, viewport={"width": 1440, "height": 900})
    page.get_by_role("button", name="Step", exact=True).focus()
    page.keyboard.press("Enter")
    settled(page, 1)
    page.get_by_role("slider", name="Users").focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".what")).to_contain_text("12 users")
    page.get_by_role("button", name="Reset", exact=True).press("Enter")
    expect(page.locator(".what")).to_contain_text("4 users")
    page.get_by_role("button", name="Step", exact=True).press("Enter")
    expect(page.locator(".panel", has_text="turns").locator("b")).to_have_text("4")
    order = page.evaluate("[...document.querySelectorAll('.talk pre')].map(each => each.tabIndex)")
    assert order == [0, 0], "what scrolls is in reach of the keyboard"


def test_another_arm_is_played_from_the_next_reset(address, opened):
    page = opened(address, viewport={"width": 1440, "height": 900})
    expect(page.locator(".what")).to_contain_text("history-5")
    page.locator("nav .v-select").click()
    page.get_by_role("option", name="history-10").click()
    press(page, "Reset")
    expect(page.locator(".what")).to_contain_text("history-10")
    press(page, "Step")
    settled(page, 1)


def test_the_dialogue_of_a_chosen_user(address, opened):
    page = opened(address, viewport={"width": 1440, "height": 900})
    press(page, "Step")
    settled(page, 1)
    first = page.inner_text(".status b")
    page.locator(".talk .v-select").click()
    user = page.get_by_role("option").nth(3).inner_text()
    page.get_by_role("option").nth(3).click()
    expect(page.locator(".status b")).to_have_text(f"User {user}, round 1.")
    assert page.inner_text(".status b") != first
    prompt, reply = page.locator(".talk pre").all_inner_texts()
    assert "[system]" in prompt
    assert "my ranking as" in reply
    before, after = page.get_by_label("Proposed"), page.get_by_label("Shown")
    expect(before.locator("li")).to_have_count(10)
    expect(after.locator("li")).to_have_count(5)
    press(page, "Next")
    expect(page.locator(".status b")).not_to_have_text(f"User {user}, round 1.")


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_window(address, opened, width, scheme):
    page = opened(address, viewport={"width": width, "height": 900}, color_scheme=scheme)
    press(page, "Step")
    settled(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate("getComputedStyle(document.querySelector('.live')).color")
    assert ink == ("rgb(26, 26, 26)" if scheme == "light" else "rgb(232, 234, 237)")
    sliders = page.get_by_text("Users, 1 to 12")
    if width < 960:
        expect(sliders).to_be_hidden()
        page.locator(".v-app-bar__nav-icon").click()
    expect(sliders).to_be_visible()


@pytest.fixture
def asked(openai_server, tmp_path):
    """Options of a view that asks a server, and the server."""
    with ExitStack() as stack:

        def start(answer, *overrides, delay=0.0, **options):
            server = openai_server(answer, delay=delay, **options)
            settings = (
                "users.client=openai",
                "users.model=test-model",
                f"users.base_url={server.base_url}",
                f"users.api_key_env={KEY_VARIABLE}",
                "users.count=4",
                "users.concurrency=1",
                "users.attempts=1",
                *overrides,
            )
            environment = {KEY_VARIABLE: CANARY, "SCREENTEST_CACHE": str(tmp_path / "cache")}
            caps = ("--max-calls", "200", "--out", tmp_path / "kept")
            return server, stack.enter_context(served(*settings, options=caps, **environment))

        yield start


def test_titles_and_replies_that_are_markup_do_nothing(asked, opened, tmp_path):
    (tmp_path / "evil.yaml").write_text(json.dumps({"evil": MARKUP.replace("{{ 7 * 6 }}", "{title}")}))
    attack = f"injection.attack={tmp_path / 'evil.yaml'}:evil"
    _, address = asked(lambda body: MARKUP, attack, "prompts.neutralise=false")
    page = opened(address, viewport={"width": 1440, "height": 900})
    press(page, "Step")
    settled(page, 1)
    prompt, reply = page.locator(".talk pre").all_inner_texts()
    assert "<script>alert(1)</script>" in prompt
    assert reply == MARKUP
    assert "<img src=x onerror=alert(2)>" in page.get_by_label("Proposed").inner_text()
    assert page.locator(".live img").count() == page.locator(".live script").count() == 0


def test_answers_are_shown_as_they_come(asked, opened):
    _, address = asked(lambda body: "I would accept nothing.", delay=1.0)
    page = opened(address, viewport={"width": 1440, "height": 900})
    press(page, "Step")
    expect(page.locator(".calls")).to_have_text(re.compile("[0-3] of 4 calls ended"))
    expect(page.locator(".live h1")).to_have_text("Round 1")
    expect(page.locator(".status")).to_contain_text("answered; the round waits for the others")
    expect(page.locator(".talk pre").nth(1)).to_have_text("I would accept nothing.")
    expect(page.get_by_label("Shown")).to_contain_text("Comes when the round is settled.")
    expect(page.locator(".calls")).to_have_count(0)


def test_refusals_and_failed_calls_are_errors_and_a_reset_makes_them_again(asked, opened):
    faults = [Fault.BAD_KEY, None, Fault.ERROR_500]
    server, address = asked(lambda body: "I would accept nothing.", faults=faults)
    page = opened(address, viewport={"width": 1440, "height": 900})
    alert = page.locator(".round [role=alert]")
    press(page, "Step")
    expect(alert).to_contain_text("The round ended in an error.")
    assert CANARY not in page.content()
    expect(page.get_by_role("button", name="Step", exact=True)).to_be_disabled()
    press(page, "Reset")
    expect(alert).to_have_count(0)
    press(page, "Step")
    expect(alert).to_contain_text("1 of 4 users had no answer.")
    press(page, "Next")
    expect(page.locator(".talk [role=alert]")).to_contain_text("500")
    expect(page.get_by_label("Shown")).to_contain_text("this is the recommender's own list")
    press(page, "Reset")
    settled(page, 0)
    press(page, "Step")
    settled(page, 1)
    expect(page.locator(".panel", has_text="failed share").locator("b")).to_have_text("0")
    assert server.requests == 1 + 4 + 1, "what was answered is not asked again"


def test_a_view_that_is_closed_plays_no_further(asked, chromium):
    server, address = asked(lambda body: "I would accept nothing.")
    # In a context that outlives it: what it says as it closes is heard.
    page = chromium.new_context().new_page()
    page.goto(address)
    page.wait_for_selector(".live h1")
    page.get_by_role("button", name="▶", exact=True).click()
    expect(page.locator(".live h1")).to_have_text(re.compile(r"Round [1-9]"))
    page.close(run_before_unload=True)
    time.sleep(3)
    seen = server.requests
    time.sleep(2)
    assert server.requests == seen > 0
