"""What docs/tls.md says about flags is so."""

import re
from dataclasses import fields
from pathlib import Path

from raftkv.config import ServerConfig
from raftkv.http2 import Options
from raftkv.peer import inbound, tcp
from raftkv.peer.framing import MAX_FRAME_BYTES
from raftkv.server.parts import Settings
from raftkv_cli.root import raftkv

TEXT = (Path(__file__).parents[2] / "docs" / "tls.md").read_text()
CONFIG = ServerConfig()


def test_every_flag_exists() -> None:
    known = {"--" + field.name.replace("_", "-") for field in fields(ServerConfig)}
    known |= {name for option in raftkv.params for name in option.opts}
    assert set(re.findall(r"--[a-z][a-z0-9-]+", TEXT)) <= known


def test_every_command_is_complete() -> None:
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            assert line.split()[0] in {"raftkv", "etcdctl", "curl"}


def test_limits_are_the_defaults() -> None:
    for flag, default in re.findall(r"^\| `--([a-z-]+)` \| (\w+) \|", TEXT, re.MULTILINE):
        assert str(getattr(CONFIG, flag.replace("-", "_"))) == default
    options, settings = Options(), Settings(cluster_id=1, node_id=1)
    assert (options.max_handshakes, options.handshake_seconds, options.max_header_list_bytes) == (1000, 10.0, 16 << 10)
    assert (options.max_buffered_bytes, options.max_queued_bytes, options.max_held_bytes) == (64 << 20, 64 << 20, 1 << 30)
    assert (settings.max_pending, settings.max_apply_gap) == (20_000, 5_000)
    assert (tcp.MAX_INBOUND, inbound.MAX_HELLO_BYTES, MAX_FRAME_BYTES, inbound.MAX_HELD_BYTES) == (
        256,
        16 << 10,
        64 << 20,
        256 << 20,
    )
