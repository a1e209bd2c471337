"""The blocking twin: its own, that is what does not follow from the asyncio client by construction."""

import asyncio
import hashlib
import inspect
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from raftkv.client import BlockingClient, Client
from raftkv.errors import ClientClosedError, EmptyKeyError


def public_methods(kind: type[object]) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


TAKE_A_FUNCTION = {"elect", "leader_only"}
"""Of which the asyncio client's is a coroutine function; all but its type is the same."""


def test_both_clients_have_the_same_methods_with_the_same_signatures() -> None:
    blocking, plain = public_methods(BlockingClient), public_methods(Client)
    for name in TAKE_A_FUNCTION:
        arguments, others = (list(methods.pop(name).parameters) for methods in (blocking, plain))
        assert arguments == others
    assert blocking == plain


def test_both_clients_are_made_with_the_same_arguments() -> None:
    blocking, plain = (inspect.signature(kind.__init__).parameters for kind in (BlockingClient, Client))
    assert dict(blocking) == {name: parameter for name, parameter in plain.items() if name != "open_channel"}


def test_calls_answer_and_raise(endpoint: str, prefix: str) -> None:
    with BlockingClient(endpoint) as client:
        client.put(f"{prefix}k", "v")
        found = client.get(f"{prefix}k")
        assert found is not None
        assert found.value == b"v"
        with pytest.raises(EmptyKeyError):
            client.put("", "v")


def test_snapshot_is_read_piece_by_piece_and_may_be_left_early(endpoint: str) -> None:
    with BlockingClient(endpoint, timeout=20.0) as client:
        *pieces, last = client.snapshot()
        digest = hashlib.sha256(b"".join(piece.blob for piece in pieces)).digest()
        assert digest == last.blob
        for piece in client.snapshot():
            assert piece.blob
            break


def test_closed_client_refuses_calls(endpoint: str) -> None:
    with BlockingClient(endpoint) as client:
        client.status()
    with pytest.raises(ClientClosedError):
        client.status()


def test_threads_share_one_client(endpoint: str, prefix: str) -> None:
    with BlockingClient(endpoint, timeout=20.0) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.put(f"{prefix}{number}", str(number)), range(200)))
        assert client.range(prefix, prefix=True, count_only=True).count == 200


async def test_call_inside_a_running_loop_does_not_wait_for_itself(endpoint: str, prefix: str) -> None:
    assert asyncio.get_running_loop()
    with BlockingClient(endpoint) as client:
        client.put(f"{prefix}k", "v")
        assert client.get(f"{prefix}k") is not None


def test_clients_of_a_process_share_one_thread(endpoint: str) -> None:
    with BlockingClient(endpoint) as first, BlockingClient(endpoint) as second:
        first.status()
        second.status()
        assert sum(thread.name == "raftkv-client" for thread in threading.enumerate()) == 1


EXITS = {
    "after closing": "client.close()",
    "without closing": "",
    "with a call under way": """
import threading
threading.Thread(target=lambda: stalled.put("k", timeout=60.0), daemon=True).start()
while not stalled._client._session:
    pass
""",
}


@pytest.mark.parametrize("ending", EXITS)
def test_process_ends_without_a_word(endpoint: str, ending: str) -> None:
    program = f"""
from raftkv.client import BlockingClient
client = BlockingClient({endpoint!r})
stalled = BlockingClient("127.0.0.1:1")
client.status()
{EXITS[ending]}
print("done")
"""
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.returncode) == ("done\n", 0)
    assert "Warning" not in result.stderr
