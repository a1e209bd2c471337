"""The site is whole: every link leads somewhere, every page is in the navigation, the reference is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raftkv_cli.root import raftkv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(where)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return where


def test_reference_has_every_command(site: Path) -> None:
    text = (site / "reference" / "cli" / "index.html").read_text()
    assert [name for name in raftkv.commands if f"raftkv {name}</code>" not in text] == []


def test_reference_tells_what_methods_and_settings_are_for(site: Path) -> None:
    grpc = (site / "reference" / "grpc" / "index.html").read_text()
    assert "raftkv.v1.Rendezvous" in grpc
    assert "Takes part no more" in grpc  # a comment of the .proto file
    assert "etcdserverpb.KV" in grpc
    assert "--quota-backend-bytes" in (site / "reference" / "configuration" / "index.html").read_text()
    assert "leader_only" in (site / "reference" / "python" / "index.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        for part in ('src="http', "@import", "fonts.googleapis"):
            assert part not in text, page
