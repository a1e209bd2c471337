"""What each view shows of a real cluster, by day, by night, and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.harness.lighthouse import ask
from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.conftest import PICTURES, OpenPage
from tests.ui_browser.gateway import Gateway, for_url

VIEWS = {
    "cluster": "Sync p99",
    "keys": "greeting",
    f"keys?key={for_url('greeting')}": "Changed at revision",
    f"keys?key={for_url('app/secret')}": "48 B",
    "leases": "Time left",
    "locks": "checkpoint-writer",
    f"lock?name={for_url('checkpoint-writer/')}": "holds",
    "jobs": "llama-70b",
    "job?name=mnist": "weights-are-there",
    "quorums": "mnist",
    "quorum?name=mnist": "http://left:1",
    "events": "leads in term",
}
LOOKS = {"light": ("light", 1360), "dark": ("dark", 1360), "narrow": ("light", 400)}


@pytest.mark.parametrize("look", LOOKS)
def test_every_view_shows_what_there_is(open_page: OpenPage, furnished: RaftkvCluster, look: str) -> None:
    scheme, width = LOOKS[look]
    page = open_page(furnished.endpoints[0], scheme=scheme, width=width)
    for view, text in VIEWS.items():
        page.goto(f"http://{furnished.endpoints[0]}/ui/#/{view}")
        expect(page.locator(".view")).to_contain_text(text)
        expect(page.locator(".pulse")).to_contain_text("Leader node")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the window"
        page.screenshot(path=PICTURES / f"{re.sub('[^a-z0-9]+', '-', view.partition('=')[0])}-{look}.png", full_page=True)


def row(page: Page, table: str, name: str) -> list[str]:
    """The cells of a row, by the text of its heading."""
    found = page.get_by_role("table", name=table).get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
    return list(found.first.locator("th, td").all_inner_texts())


def test_members_are_told_with_their_indexes_and_sync_times(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0])
    expect(page.get_by_role("table", name="Members of the cluster").get_by_role("row")).to_have_count(4)
    cells = row(page, "Members of the cluster", "node2")
    assert cells[1] in {"leader", "follower"}
    assert cells[3] == cells[4]  # committed, applied
    assert cells[5] == "0"
    assert cells[6].endswith("ms")
    expect(page.get_by_text("No alarms")).to_be_visible()


def test_a_lock_shows_who_holds_it_and_who_waits(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0], "locks")
    expect(page.get_by_role("rowheader", name="scheduler")).to_be_visible()
    kinds = {
        name: row(page, "Locks and elections by name", name)[1]
        for name in ("checkpoint-writer", "scheduler", "dataset", "downloads")
    }
    assert kinds == {
        "checkpoint-writer": "lock",
        "scheduler": "election",
        "dataset": "read-write lock",
        "downloads": "semaphore",
    }
    assert row(page, "Locks and elections by name", "scheduler")[2] == "host-a:9000"
    page.get_by_role("link", name="checkpoint-writer").click()
    line = page.get_by_role("table", name="The line, in the order of arrival")
    expect(line.get_by_role("row")).to_have_count(4)
    tokens = [int(text.replace(",", "")) for text in line.locator("tbody tr td:nth-child(4)").all_inner_texts()]
    assert tokens == sorted(tokens)
    assert line.locator("tbody tr td:nth-child(2)").all_inner_texts() == ["holds", "waits", "waits"]


def test_a_job_shows_rounds_ranks_barriers_and_checkpoints(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0], "job?name=mnist")
    expect(page.locator(".timeline rect.work")).to_have_count(1)
    assert row(page, "Rounds of the job, the newest first", "1")[7] == "gpu-3 failed: CUDA error"
    assert row(page, "Ranks of the job and the nodes that have them", "7")[1:3] == ["gpu-7", "at work"]
    assert row(page, "Barriers of the world", "weights-are-there")[1:] == ["open", "5 of 8", "5 (gpu-5), 6 (gpu-6), 7 (gpu-7)"]
    assert row(page, "Checkpoints of the job, the newest first", "2,000")[1:] == ["being written", "5 of 8", "2", "5, 6, 7"]
    assert row(page, "Checkpoints of the job, the newest first", "1,000")[1] == "whole"


def test_a_quorum_shows_its_groups_and_the_job_leads_to_it(open_page: OpenPage, furnished: RaftkvCluster) -> None:
    page = open_page(furnished.endpoints[0], "quorums")
    expect(page.get_by_role("rowheader", name="mnist")).to_be_visible()
    assert row(page, "Jobs with a quorum, those whose groups changed last first", "mnist")[1:4] == ["1", "1", "left"]
    page.goto(f"http://{furnished.endpoints[0]}/ui/#/job?name=mnist")
    page.locator(".figures").get_by_role("link", name="1").click()
    expect(page.get_by_role("rowheader", name="left")).to_be_visible()
    table = "Groups of the last quorum, in the order of their names"
    assert row(page, table, "left") == ["left", "http://left:1", "left:2", "40", "8"]
    ask(furnished.endpoints[0], "other", raftkv_job="live")
    page.goto(f"http://{furnished.endpoints[0]}/ui/#/quorums")
    expect(page.get_by_role("rowheader", name="live")).to_be_visible()


def test_what_happens_is_shown_as_it_happens(open_page: OpenPage, furnished: RaftkvCluster, gateway: Gateway) -> None:
    page = open_page(furnished.endpoints[0], "leases")
    expect(page.locator(".note")).to_contain_text("leases")
    lease = gateway.lease()
    gateway.put("mine/only", "x", lease=lease)
    expect(page.get_by_role("rowheader", name=f"{lease:x}")).to_be_visible()
    page.get_by_role("link", name=f"{lease:x}").click()
    expect(page.get_by_role("rowheader", name="mine/only")).to_be_visible()
    gateway.post("/v3/lease/revoke", {"ID": lease})
    expect(page.get_by_text("This lease has ended")).to_be_visible()
