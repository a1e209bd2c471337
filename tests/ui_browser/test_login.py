"""The page while authentication is on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.accessibility import findings
from tests.ui_browser.conftest import PICTURES, OpenPage
from tests.ui_browser.gateway import Gateway, b64, for_url


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaftkvCluster]:
    """A node on which root may do everything, and alice what she needs."""
    with RaftkvCluster(tmp_path_factory.mktemp("guarded"), options={"bcrypt-cost": "4"}) as cluster:
        gateway = Gateway(cluster.endpoints[0])
        gateway.put("jobs/1", "hers")
        gateway.put("other", "not hers")
        gateway.post("/v3/auth/role/add", {"name": "trainers"})
        permission = {"permType": "READ", "key": b64("jobs/"), "range_end": b64("jobs0")}
        gateway.post("/v3/auth/role/grant", {"name": "trainers", "perm": permission})
        for name, password, role in (("root", "secret", "root"), ("alice", "wonder", "trainers")):
            gateway.post("/v3/auth/user/add", {"name": name, "password": password})
            gateway.post("/v3/auth/user/grant", {"user": name, "role": role})
        assert "error" not in gateway.post("/v3/auth/enable", {})
        yield cluster


def sign_in(page: Page, user: str, password: str) -> None:
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def test_nobody_sees_anything_before_signing_in(open_page: OpenPage, guarded: RaftkvCluster) -> None:
    page = open_page(guarded.endpoints[0], "keys")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert findings(page) == []
    page.screenshot(path=PICTURES / "login.png")
    sign_in(page, "root", "wrong")
    expect(page.get_by_role("alert")).to_have_text("No user has this name and password.")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    sign_in(page, "root", "secret")
    expect(page.get_by_role("link", name="other")).to_be_visible()  # where the address led
    token = page.evaluate("sessionStorage.getItem('raftkv.token')")
    assert token
    assert not [url for url in [page.url, *sent] if token in url]
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_role("link", name="other")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('raftkv.token')") is None


def test_a_user_sees_what_it_may_and_is_told_what_it_may_not(open_page: OpenPage, guarded: RaftkvCluster) -> None:
    page = open_page(guarded.endpoints[0], "keys")
    sign_in(page, "alice", "wonder")
    expect(page.get_by_text("alice may not read all keys here.")).to_be_visible()
    page.get_by_role("link", name="jobs/…").click()
    page.get_by_role("link", name=re.compile("^1 ")).click()
    expect(page.locator("#value")).to_have_value("hers")
    page.locator("#value").fill("changed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("You may not write this key.")).to_be_visible()
    page.goto(f"http://{guarded.endpoints[0]}/ui/#/keys?key={for_url('other')}")
    expect(page.get_by_text("You may not read this key.")).to_be_visible()
    page.goto(f"http://{guarded.endpoints[0]}/ui/#/cluster")
    expect(page.get_by_role("rowheader", name="node1").first).to_be_visible()


def test_a_session_that_ends_asks_again_and_goes_on_there(open_page: OpenPage, guarded: RaftkvCluster) -> None:
    page = open_page(guarded.endpoints[0], "leases")
    sign_in(page, "alice", "wonder")
    expect(page.get_by_role("heading", name="Leases", level=1)).to_be_visible()
    root = Gateway(
        guarded.endpoints[0],
        page.request.post(
            f"http://{guarded.endpoints[0]}/v3/auth/authenticate", data={"name": "root", "password": "secret"}
        ).json()["token"],
    )
    root.post("/v3/auth/user/changepw", {"name": "alice", "password": "wonder2"})
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    sign_in(page, "alice", "wonder2")
    expect(page.get_by_role("heading", name="Leases", level=1)).to_be_visible()
    root.post("/v3/auth/user/changepw", {"name": "alice", "password": "wonder"})
