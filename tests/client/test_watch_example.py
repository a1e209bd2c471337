"""examples/watch_config.py, run as its first lines say."""

import sys
from pathlib import Path

from raftkv.client import BlockingClient
from tests.cli.conversation import Conversation

EXAMPLE = Path(__file__).parents[2] / "examples" / "watch_config.py"


def test_state_under_a_prefix_is_followed(endpoint: str) -> None:
    command = [sys.executable, str(EXAMPLE), endpoint, "config/"]
    with BlockingClient(endpoint, timeout=20.0) as client, Conversation(command) as following:
        following.read_until(b"(nothing)\n")
        client.put("config/rate", "0.1")
        client.put("config/steps", "100")
        following.read_until(b"config/rate=0.1, config/steps=100\n")
        client.delete("config/rate")
        following.read_until(b"\nconfig/steps=100\n")
        client.delete("config/", prefix=True)
