"""Whatever clients send, a node goes on, and says what is documented."""

from pathlib import Path

import pytest

from tests.rpc import fuzz


@pytest.mark.parametrize("seed", range(2))
def test_calls_from_a_seed_break_nothing(tmp_path: Path, seed: int) -> None:
    assert fuzz.life(tmp_path / "node", seed) > fuzz.CALLS // 10  # some of it makes sense, or nothing is tested


def test_every_method_is_aimed_at() -> None:
    paths = {target.path for target in fuzz.targets()}
    assert {"/etcdserverpb.KV/Txn", "/v3lockpb.Lock/Lock", "/etcdserverpb.Auth/Authenticate"} <= paths
    assert len(paths) > 45
