"""Every view without a mouse, and for those who listen."""

import pytest
from playwright.sync_api import expect

from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.accessibility import findings, focus_is_visible, focused
from tests.ui_browser.conftest import OpenPage
from tests.ui_browser.test_views import VIEWS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_keeps_the_rules(open_page: OpenPage, furnished: RaftkvCluster, scheme: str) -> None:
    page = open_page(furnished.endpoints[0], scheme=scheme)
    wrong = {}
    for view, text in VIEWS.items():
        page.goto(f"http://{furnished.endpoints[0]}/ui/#/{view}")
        expect(page.locator(".view")).to_contain_text(text)
        wrong[view] = findings(page)
    assert {view: found for view, found in wrong.items() if found} == {}


def test_the_page_can_be_used_with_the_keyboard_alone(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0])
    expect(page.locator(".view")).to_contain_text("Sync p99")
    keyboard = page.keyboard
    keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    keyboard.press("Enter")
    assert focused(page) == "Cluster"
    keyboard.press("Shift+Tab")  # back from the heading: the theme switch is the last of the frame
    for _ in range(12):
        if focused(page) == "Keys":
            break
        assert focus_is_visible(page)
        keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")
    assert focused(page) == "Keys"  # the heading of the new view
    for _ in range(30):
        keyboard.press("Tab")
        if focused(page).startswith("runs/"):
            break
        assert focus_is_visible(page), focused(page)
    keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="2026/")).to_be_visible()
    keyboard.press("Tab")
    assert focused(page).startswith("2026/")
    keyboard.press("Shift+Tab")
    keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="2026/")).to_be_hidden()
    keyboard.press("Shift+Tab")
    assert focused(page).startswith("odd")
    page.get_by_role("link", name="greeting").focus()
    keyboard.press("Enter")
    expect(page.locator("#value")).to_have_value("hello 5")
    page.get_by_role("tab", name="Value").focus()
    keyboard.press("ArrowRight")
    assert focused(page) == "History"
    expect(page.get_by_role("table", name="Versions of the key")).to_be_visible()
    keyboard.press("Home")
    expect(page.locator("#value")).to_be_visible()


def test_the_colours_can_be_chosen_and_stay(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0])
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("radio", name="As the system").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Dark")).to_have_attribute("aria-checked", "true")
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    expect(page.get_by_role("radio", name="Dark")).to_have_attribute("aria-checked", "true")
    assert page.evaluate(colour) == dark
