"""Ten thousand keys, a thousand leases, a thousand ranks: shown a page at a time, by a page and a node that stay quick."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from raftkv.clock import SystemClock
from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.conftest import PICTURES, OpenPage
from tests.ui_browser.gateway import Gateway, b64, for_url

RANKS, LEASES, KEYS = 1000, 1000, 10_000
LONGEST_TASK_MS = 250
MOST_ELEMENTS = 2500
QUESTIONS = ("cluster", f"keys?prefix={for_url('many/')}", "leases", "locks", "jobs", "job?name=large", "events")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaftkvCluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("crowded")) as cluster:
        gateway = Gateway(cluster.endpoints[0])
        puts = [{"request_put": {"key": b64(f"many/{number:05d}"), "value": b64("v" * 20)}} for number in range(KEYS)]
        gateway.post_all("/v3/kv/txn", ({"success": puts[first : first + 125]} for first in range(0, KEYS, 125)))
        leases = [int(answer["ID"]) for answer in gateway.post_all("/v3/lease/grant", [{"TTL": 3600}] * LEASES)]
        settings = {"min_nodes": RANKS, "max_nodes": RANKS, "last_call_ms": 1}
        joins = (
            {
                "job": "large",
                "node": f"node-{number}",
                "incarnation": "1",
                "lease": lease,
                "settings": settings,
                "slot": number + 1,
            }
            for number, lease in enumerate(leases)
        )
        gateway.post_all("/v3/rendezvous/join", joins)
        gateway.post_all("/v3/kv/put", ({"key": b64(f"lock-{lease % 40}/{lease:x}"), "lease": lease} for lease in leases))
        yield cluster


def longest_task_ms(page: Page) -> float:
    longest = "() => new Promise((told) => new PerformanceObserver((list) => told(Math.max(...list.getEntries().map((task) => task.duration)))).observe({ type: 'longtask', buffered: true }) || setTimeout(() => told(0), 50))"
    return float(page.evaluate(longest))


def elements(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('*').length"))


def test_the_page_stays_small_and_quick(open_page: OpenPage, crowded: RaftkvCluster) -> None:
    endpoint = crowded.endpoints[0]
    page = open_page(endpoint, "keys")
    page.get_by_role("button", name="many/").click()
    expect(page.get_by_role("button", name="many/")).to_contain_text("10,000")
    tree = page.get_by_role("region", name="Tree of keys")
    expect(tree.get_by_role("link")).to_have_count(100)
    sizes = [elements(page)]
    page.goto(f"http://{endpoint}/ui/#/leases")
    expect(page.get_by_text("1\N{EN DASH}50 of 1,000 leases")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("51\N{EN DASH}100 of 1,000 leases")).to_be_visible()
    page.get_by_role("searchbox").fill("node-77")
    expect(page.get_by_text("11 of 1,000 leases")).to_be_visible()
    sizes.append(elements(page))
    page.goto(f"http://{endpoint}/ui/#/job?name=large")
    expect(page.get_by_text("1,000 ranks at work")).to_be_visible()
    expect(page.get_by_text("1\N{EN DASH}50 of 1,000 ranks")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("rowheader", name="99", exact=True)).to_be_visible()
    page.screenshot(path=PICTURES / "thousand-ranks.png", full_page=True)
    sizes.append(elements(page))
    page.goto(f"http://{endpoint}/ui/#/locks")
    expect(page.get_by_role("table", name="Locks and elections by name").locator("tbody tr")).to_have_count(40)
    assert max(sizes) < MOST_ELEMENTS
    assert longest_task_ms(page) < LONGEST_TASK_MS


def test_the_node_answers_each_question_at_once(crowded: RaftkvCluster) -> None:
    clock, gateway = SystemClock(), Gateway(crowded.endpoints[0])
    took = {}
    for question in QUESTIONS:
        gateway.ask(question)
        began = clock.now()
        gateway.ask(question)
        took[question] = round(clock.now() - began, 3)
    assert max(took.values()) < 0.3, took
