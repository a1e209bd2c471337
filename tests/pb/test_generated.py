"""The generated messages are those of proto/, and live apart from everybody else's."""

import subprocess
import sys
from pathlib import Path

from google.protobuf import descriptor_pool

from raftkv.pb import rpc
from raftkv.pb.pool import POOL

ROOT = Path(__file__).parents[2]
HAND_WRITTEN = {"__init__.py", "pool.py"}


def test_generated_code_is_what_the_protos_say(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "proto" / "generate.py"), str(tmp_path)], check=True)
    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "raftkv" / "pb").glob("*.py*") if path.name not in HAND_WRITTEN}
    assert fresh == kept, "run `make proto`"


def test_messages_are_not_in_the_default_pool() -> None:
    assert POOL.FindMessageTypeByName("etcdserverpb.PutRequest") is rpc.PutRequest.DESCRIPTOR
    try:
        found = descriptor_pool.Default().FindMessageTypeByName("etcdserverpb.PutRequest")
    except KeyError:
        return
    assert found is not rpc.PutRequest.DESCRIPTOR


def test_another_etcd_client_can_live_beside_this_one() -> None:
    """Its files have the names and messages that etcd's own have; in one pool with ours they could not be loaded."""
    code = (
        "from raftkv.pb import rpc\n"
        "from google.protobuf import descriptor_pool, descriptor_pb2\n"
        "rpc.DESCRIPTOR.serialized_pb\n"
        "for module in ('kv', 'auth', 'rpc'):\n"
        "    file = descriptor_pb2.FileDescriptorProto.FromString(\n"
        "        __import__('raftkv.pb.' + module, fromlist=['x']).DESCRIPTOR.serialized_pb)\n"
        "    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())\n"
        "print(descriptor_pool.Default().FindMessageTypeByName('etcdserverpb.PutRequest').full_name)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "etcdserverpb.PutRequest"
