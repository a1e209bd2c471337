"""Keys: found in a tree, edited by compare-and-swap, their past, and what happens to them."""

import re

from playwright.sync_api import Page, expect

from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.conftest import PICTURES, OpenPage
from tests.ui_browser.gateway import Gateway, b64, for_url


def editor(page: Page) -> None:
    expect(page.get_by_role("button", name="Delete")).to_be_enabled()


def test_the_tree_is_opened_folder_by_folder_and_page_by_page(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0], "keys")
    tree = page.get_by_role("region", name="Tree of keys")
    tree.get_by_role("button", name="runs/").click()
    folder = tree.get_by_role("button", name="2026/")
    expect(folder).to_contain_text("120")
    folder.click()
    expect(tree.get_by_role("link", name="run-")).to_have_count(100)
    tree.get_by_role("button", name="Show more").click()
    expect(tree.get_by_role("link", name="run-")).to_have_count(120)
    tree.get_by_role("link", name="run-119").click()
    expect(page.locator("#value")).to_have_value("x" * 119)
    assert page.url.endswith(for_url("runs/2026/run-119"))


def test_a_value_is_saved_if_it_is_still_what_was_edited(
    open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway
) -> None:
    lease = gateway.lease()
    gateway.put("edited/one", "before", lease=lease)
    page = open_page(furnished.endpoints[0], f"keys?key={for_url('edited/one')}")
    expect(page.locator("#value")).to_have_value("before")
    page.locator("#value").fill("after")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[role=status].unseen")).to_contain_text("Saved at revision")
    found = gateway.post("/v3/kv/range", {"key": b64("edited/one")})["kvs"][0]
    assert (found["value"], int(found["lease"])) == (b64("after"), lease)


def test_a_conflict_is_told_and_nothing_is_lost(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    gateway.put("edited/two", "before")
    page = open_page(furnished.endpoints[0], f"keys?key={for_url('edited/two')}")
    editor(page)
    page.locator("#value").fill("mine")
    gateway.put("edited/two", "theirs")
    expect(page.get_by_text("was changed at revision")).to_be_visible()  # told while it is typed
    page.get_by_role("button", name="Save").click()
    conflict = page.locator(".conflict")
    expect(conflict).to_contain_text("Nothing was written. The key was changed at revision")
    expect(conflict.get_by_label("The value now")).to_have_text("theirs")
    assert gateway.get("edited/two") == b"theirs"
    page.screenshot(path=PICTURES / "conflict.png", full_page=True)
    conflict.get_by_role("button", name="Write mine over it").click()
    expect(conflict).to_have_count(0)
    assert gateway.get("edited/two") == b"mine"


def test_a_key_can_be_made_and_deleted(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    page = open_page(furnished.endpoints[0], "keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Key", exact=True).fill("made/\\x00here")
    page.locator("#value").fill("new")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="made/\\x00here")).to_be_visible()
    assert gateway.get(b"made/\x00here") == b"new"
    editor(page)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("not there")).to_be_visible()
    assert gateway.get(b"made/\x00here") is None
    page.get_by_role("tab", name="History").click()
    versions = page.get_by_role("table", name="Versions of the key").locator("tbody tr")
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("deleted")


def test_a_key_that_came_in_between_is_not_overwritten(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    page = open_page(furnished.endpoints[0], "keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Key", exact=True).fill("greeting")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".conflict")).to_contain_text("exists already")
    assert gateway.get("greeting") == b"hello 5"


def test_bytes_that_are_no_text_survive_editing(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    gateway.put("edited/bytes", b"\x00\xff\x80")
    page = open_page(furnished.endpoints[0], f"keys?key={for_url('edited/bytes')}")
    expect(page.locator("#value")).to_have_value(b64(b"\x00\xff\x80"))
    expect(page.get_by_label("Bytes of the value")).to_contain_text("00 ff 80")
    page.locator("#value").fill("not base64!")
    expect(page.get_by_text("This is not base64.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.locator("#value").fill(b64(b"\xfe\x00"))
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[role=status].unseen")).to_contain_text("Saved")
    assert gateway.get("edited/bytes") == b"\xfe\x00"


def test_the_history_of_a_key_goes_back_to_its_compaction(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0], f"keys?key={for_url('greeting')}")
    page.get_by_role("tab", name="History").click()
    values = page.get_by_role("table", name="Versions of the key").locator("tbody tr td:nth-child(4)")
    expect(values).to_have_text([f"hello {number}" for number in reversed(range(6))])
    page.get_by_role("button", name=re.compile("Edit the value")).last.click()
    expect(page.locator("#value")).to_have_value("hello 0")
    expect(page.get_by_role("button", name="Save")).to_be_enabled()


def test_changes_are_watched_live(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    page = open_page(furnished.endpoints[0], f"keys?prefix={for_url('watched/')}")
    expect(page.get_by_text("No keys here")).to_be_visible()
    page.get_by_role("button", name="Watch live").click()
    expect(page.get_by_text("below watched/")).to_be_visible()
    changes = page.get_by_role("table", name="Changes").locator("tbody tr")

    def written() -> None:
        gateway.put("watched/a", "1")

    written()
    expect(changes.first).to_contain_text("created")
    expect(page.get_by_role("region", name="Tree of keys").get_by_role("link", name="a")).to_be_visible()
    gateway.post("/v3/kv/deleterange", {"key": b64("watched/a")})
    expect(changes.first).to_contain_text("deleted")


def test_nothing_that_a_stranger_writes_becomes_markup(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    evil = "<img src=x onerror=alert(1)>"
    page = open_page(furnished.endpoints[0], f"keys?key={for_url(evil)}")
    expect(page.locator("#value")).to_have_value("<script>alert(2)</script>")
    expect(page.get_by_role("heading", name=evil)).to_be_visible()
    assert page.locator("main img").count() == 0
    expect(page.get_by_role("button", name="odd\\x00/")).to_be_visible()
    page.get_by_role("button", name="odd\\x00/").click()
    expect(page.get_by_role("link", name="\\u{202e}name")).to_be_visible()
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'set'; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"
