"""The dashboard in a real Chromium: `make test-ui`, which says where it is. Elsewhere these are no tests.

Every page that a test opens is listened to: an error on its console, or one that nobody caught, fails the test. Pictures of
what was seen stay in `.ui-pictures`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.raftkv import RaftkvCluster
from tests.ui_browser.gateway import Gateway
from tests.ui_browser.seeds import furnish

BROWSER = os.environ.get("RAFTKV_BROWSER", "")
collect_ignore_glob = [] if BROWSER else ["test_*.py"]

PICTURES = Path(__file__).parents[2] / ".ui-pictures"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

EXPECTED = ("Failed to load resource", "This document requires 'TrustedHTML'")
"""Chromium says so of each answer that is a refusal, and of markup that a test tried to make: what the page makes of it counts."""

if BROWSER:
    from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

    OpenPage = Callable[..., Page]

    @pytest.fixture(scope="session")
    def browser() -> Iterator[Browser]:
        """One Chromium for all."""
        PICTURES.mkdir(exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
            yield browser
            browser.close()

    @pytest.fixture
    def open_page(browser: Browser) -> Iterator[OpenPage]:
        """Opens the dashboard of a node, in a profile of its own."""
        contexts = []
        troubles: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
                troubles.append(message.text)

        def open_page(endpoint: str, view: str = "cluster", *, scheme: Any = "light", width: int = 1360) -> Page:
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 860})
            contexts.append(context)
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", heard)
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.goto(f"http://{endpoint}/ui/#/{view}")
            return page

        yield open_page
        for context in contexts:
            context.close()
        assert troubles == []


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaftkvCluster]:
    """Three nodes with something of everything; tests change only what is their own."""
    with RaftkvCluster(tmp_path_factory.mktemp("furnished"), size=3) as cluster:
        furnish(Gateway(cluster.endpoints[0]))
        yield cluster


@pytest.fixture
def gateway(furnished: RaftkvCluster) -> Gateway:
    """To do what other clients do."""
    return Gateway(furnished.endpoints[0])
