"""The dashboard of a cluster that suffers: it says what is wrong, and that it is over."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.harness.cluster import Node
from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.conftest import PICTURES, OpenPage
from tests.ui_browser.gateway import Gateway

PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaftkvCluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("chaos"), size=3) as cluster:
        yield cluster


def role(page: Page, node: Node) -> Locator:
    members = page.get_by_role("table", name="Members of the cluster")
    return members.get_by_role("row").filter(has=page.get_by_role("rowheader", name=node.name)).locator("td").first


def test_deaths_and_pauses_are_seen_and_recovered_from(open_page: OpenPage, cluster: RaftkvCluster) -> None:
    leader = cluster.leader()
    asked, other = (node for node in cluster.nodes if node is not leader)
    page = open_page(asked.endpoint)
    state = page.get_by_role("status", name="State of the cluster")
    expect(role(page, leader)).to_have_text("leader")

    leader.kill()
    expect(role(page, leader)).to_have_text("away", timeout=PATIENCE_MS)
    expect(page.get_by_text("leader", exact=True)).to_have_count(1, timeout=PATIENCE_MS)  # another one leads
    expect(state).to_contain_text("no margin: 2 of 3 voters answer")
    page.screenshot(path=PICTURES / "leader-killed.png", full_page=True)
    leader.start()
    expect(role(page, leader)).to_have_text("follower", timeout=PATIENCE_MS)
    expect(state).not_to_contain_text("no margin", timeout=PATIENCE_MS)

    other.process.pause()
    try:
        expect(role(page, other)).to_have_text("away", timeout=PATIENCE_MS)
        expect(state).to_contain_text(other.name)
    finally:
        other.process.resume()
    expect(role(page, other)).not_to_have_text("away", timeout=PATIENCE_MS)

    asked.kill()
    expect(page.get_by_role("alert")).to_contain_text(f"{asked.name} does not answer.", timeout=PATIENCE_MS)
    expect(page.get_by_role("alert").get_by_role("link")).to_have_count(2)  # the pages of the others
    page.screenshot(path=PICTURES / "node-lost.png", full_page=True)
    asked.start()
    expect(page.get_by_role("alert")).to_be_empty(timeout=PATIENCE_MS)
    expect(role(page, asked)).not_to_have_text("away", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_role("table", name="Events, the newest first")).to_contain_text("leads in term")


def test_a_cluster_without_a_quorum_is_still_shown(open_page: OpenPage, cluster: RaftkvCluster) -> None:
    cluster.wait_ready()
    Gateway(cluster.endpoints[0]).put("kept", "here")
    asked, *others = cluster.nodes
    page = open_page(asked.endpoint)
    expect(role(page, asked)).not_to_have_text("away")
    for node in others:
        node.kill()
    state = page.get_by_role("status", name="State of the cluster")
    expect(state).to_contain_text("1 of 3 voters answer; 2 are needed to write", timeout=PATIENCE_MS)
    expect(state).to_contain_text("no leader is known", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Keys", exact=True).click()
    expect(page.get_by_role("link", name="kept")).to_be_visible()  # read from this node's own state
    page.get_by_role("link", name="Cluster", exact=True).click()
    for node in others:
        node.start()
    expect(state).not_to_contain_text("voters answer", timeout=PATIENCE_MS)
