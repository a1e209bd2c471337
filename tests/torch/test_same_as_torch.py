"""Torch's own client against torch's own server and against ours, and our Store: each operation has the same outcome."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
import torch.distributed as dist

from raftkv.tcpstore import Namespace
from raftkv.torch import Store
from raftkv.torch.background import Access
from tests.harness.cluster import Cluster
from tests.torch.endpoint import endpoint

TIMEOUT = timedelta(seconds=20)
SHORT = timedelta(milliseconds=50)
NUMBERS = count()

STEPS: list[tuple[Any, ...]] = [
    ("set", "a", "1"),
    ("get", "a"),
    ("add", "a", 5),
    ("add", "n", -2),
    ("get", "n"),
    ("compare_set", "c", "", "x"),
    ("compare_set", "c", "x", "y"),
    ("compare_set", "c", "other", "z"),
    ("compare_set", "missing", "x", "z"),
    ("compare_set", "empty", "", ""),
    ("compare_set", "empty", "", "full"),
    ("check", ["a", "n"]),
    ("check", ["a", "missing"]),
    ("append", "a", "7"),
    ("append", "appended", "7"),
    ("get", "a"),
    ("get", "appended"),
    ("multi_set", ["k1", "k2"], ["v1", "v2"]),
    ("multi_get", ["k2", "k1"]),
    ("num_keys",),
    ("delete_key", "k1"),
    ("delete_key", "k1"),
    ("num_keys",),
    ("wait", ["a", "k2"]),
    ("wait", ["missing"], SHORT),
    ("wait", ["a", "missing"], SHORT),
    ("get", "a"),
    ("queue_push", "q", "1"),
    ("queue_push", "q", "2"),
    ("queue_len", "q"),
    ("queue_pop", "q"),
    ("queue_pop", "q", False),
    ("queue_pop", "q", False),
    ("queue_len", "q"),
    ("check", ["q"]),
    ("queue_push", "q", "3"),
    ("check", ["q"]),
    ("num_keys",),
    ("delete_key", "q"),
    ("wait", ["q"]),
    ("queue_len", "q"),
    ("queue_pop", "q"),
    ("set", "", ""),
    ("get", ""),
    ("set", "odd \x00%é/", "\x00é"),
    ("get", "odd \x00%é/"),
    ("set", "large", "x" * 300_000),
    ("get", "large"),
    ("list_keys",),
]


@pytest.fixture(scope="module")
def reference() -> dist.Store:
    return dist.TCPStore("127.0.0.1", 0, is_master=True, timeout=TIMEOUT, wait_for_workers=False)


@pytest.fixture(scope="module", params=["endpoint", "store"])
def ours(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[dist.Store]:
    endpoints = ",".join(cluster.endpoints)
    namespace = Namespace("same", str(next(NUMBERS)))
    if request.param == "store":
        store = Store(Access(endpoints), namespace)
        yield store
        store.close()
        return
    with endpoint(endpoints, namespace.job, namespace.round) as port:
        yield dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)


def emptied(*stores: dist.Store) -> None:
    for store in stores:
        for key in store.list_keys():
            store.delete_key(key)
        while store.queue_len("q"):
            store.queue_pop("q")


def outcome(store: dist.Store, name: str, *args: Any) -> Any:
    """What came of it; of an error its kind, for the texts name addresses."""
    try:
        result = getattr(store, name)(*args)
    except dist.DistError as error:
        return type(error).__name__
    return sorted(result) if name == "list_keys" else result


def compare(reference: dist.Store, ours: dist.Store, steps: list[tuple[Any, ...]]) -> None:
    emptied(reference, ours)
    for drawn in steps:
        # Nobody is hurried where the keys are there: the machine may be busy.
        step = ("wait", drawn[1]) if drawn[0] == "wait" and reference.check(drawn[1]) else drawn
        expected = outcome(reference, *step)
        assert outcome(ours, *step) == expected, step


def test_each_operation(reference: dist.Store, ours: dist.Store) -> None:
    compare(reference, ours, STEPS)


@pytest.mark.parametrize("seed", range(4))
def test_random_operations(reference: dist.Store, ours: dist.Store, seed: int) -> None:
    rng = Random(seed)
    keys = [f"key{number}" for number in range(3)]
    makers: list[Callable[[], tuple[Any, ...]]] = [
        lambda: ("set", rng.choice(keys), str(rng.randrange(3))),
        lambda: ("add", rng.choice(["n", "m"]), rng.randrange(-5, 5)),
        lambda: ("compare_set", rng.choice(keys), rng.choice(["", "0", "1"]), str(rng.randrange(3))),
        lambda: ("append", rng.choice(keys), "+"),
        lambda: ("delete_key", rng.choice([*keys, "n"])),
        lambda: ("check", rng.sample([*keys, "n", "m"], 2)),
        lambda: ("multi_set", keys, ["x", "y", "z"]),
        lambda: ("wait", rng.sample(keys, 2), SHORT),
        lambda: ("queue_push", "q", str(rng.randrange(100))),
        lambda: ("queue_pop", "q", False),
        lambda: ("queue_len", "q"),
        lambda: ("num_keys",),
        lambda: ("list_keys",),
    ]
    compare(reference, ours, [rng.choice(makers)() for _ in range(120)])


def test_prefixed_store(ours: dist.Store) -> None:
    emptied(ours)
    prefixed = dist.PrefixStore("outer", dist.PrefixStore("inner", ours))
    prefixed.set("a", "1")
    assert (prefixed.get("a"), ours.get("inner/outer/a"), prefixed.add("n", 2)) == (b"1", b"1", 2)
    prefixed.multi_set(["b", "c"], ["2", "3"])
    assert prefixed.multi_get(["b", "c"]) == [b"2", b"3"]
    assert prefixed.compare_set("a", "1", "4") == b"4"
    assert prefixed.delete_key("a")
    assert not prefixed.check(["a"])
    with pytest.raises(dist.DistStoreError):
        prefixed.wait(["never"], SHORT)


def test_number_that_is_none_ends_the_connection_as_in_torch(endpoints: str) -> None:
    with endpoint(endpoints, "same", str(next(NUMBERS))) as port:
        store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)
        store.set("a", "many")
        with pytest.raises(dist.DistError):
            store.add("a", 1)
        again = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)
        assert again.get("a") == b"many"


def test_store_and_endpoint_show_the_same_keys(endpoints: str) -> None:
    namespace = Namespace("same", str(next(NUMBERS)))
    store = Store(Access(endpoints), namespace)
    with endpoint(endpoints, namespace.job, namespace.round) as port:
        client = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)
        store.set("a", "1")
        assert client.get("a") == b"1"
        client.add("n", 4)
        assert store.add("n", 1) == 5
    store.close()


def test_store_outlives_whoever_made_it(endpoints: str) -> None:
    prefixed = dist.PrefixStore("p", Store(Access(endpoints), Namespace("same", str(next(NUMBERS)))))
    clone = prefixed.clone()
    clone.set("a", "1")
    assert prefixed.get("a") == b"1"


def test_store_keeps_the_timeout_that_a_prefix_store_sets(endpoints: str) -> None:
    prefixed = dist.PrefixStore("p", Store(Access(endpoints), Namespace("same", str(next(NUMBERS)))))
    prefixed.set_timeout(SHORT)
    with pytest.raises(dist.DistStoreError, match="timeout after 50ms"):
        prefixed.get("never")
