"""From a seed whose answers differ to the few requests that matter: `python -m tests.conformance.shrink SEED [REQUESTS]`.

Each try replays a shorter list on fresh servers, so this takes a minute or two and is for people, not for the suite.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from google.protobuf.message import Message

from raftkv.pb import rpc
from tests.conformance.comparison import AnswersDifferError, Comparison, shown
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

DEFAULT_REQUESTS = 1500


def shortest(requests: Sequence[Message], differs: Callable[[Sequence[Message]], bool]) -> list[Message]:
    """Leaves out ever smaller runs of requests as long as the rest still differs (delta debugging, Zeller 1999)."""
    kept = list(requests)
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept):
            shorter = kept[:start] + kept[start + size :]
            if differs(shorter):
                kept = shorter
            else:
                start += size
        size //= 2
    return kept


def replay(requests: Sequence[Message], *, directory: Path) -> AnswersDifferError | None:
    """The first difference that these requests make on two fresh servers."""
    with (
        EtcdCluster(directory / "etcd", options={"unsafe-no-fsync": "true"}) as etcd,
        RaftkvCluster(directory / "raftkv") as raftkv,
    ):
        comparison = Comparison(etcd, raftkv, seed=0)
        try:
            for request in requests:
                comparison.check(request)
        except AnswersDifferError as error:
            return error
    return None


def first_difference(seed: int, count: int, *, directory: Path) -> tuple[list[Message], AnswersDifferError] | None:
    """The requests up to the first difference of a seed's run, and the difference."""
    with (
        EtcdCluster(directory / "etcd", options={"unsafe-no-fsync": "true"}) as etcd,
        RaftkvCluster(directory / "raftkv") as raftkv,
    ):
        comparison = Comparison(etcd, raftkv, seed=seed)
        try:
            comparison.run(count)
        except AnswersDifferError as error:
            return comparison.sent, error
    return None


def main() -> int:
    """Prints the shortest list of requests that still makes the answers differ."""
    seed, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_REQUESTS
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        found = first_difference(seed, count, directory=directory)
        if found is None:
            sys.stdout.write(f"seed {seed}: no difference in {count} requests\n")
            return 0
        sent, error = found
        writes = [request for request in sent if not isinstance(request, rpc.RangeRequest)]

        def differs(requests: Sequence[Message]) -> bool:
            again = replay([*requests, error.request], directory=directory)
            return again is not None and again.request == error.request

        kept = shortest(writes, differs)
        again = replay([*kept, error.request], directory=directory)
    for request in kept:
        sys.stdout.write(f"{type(request).__name__} {shown(request)}\n")
    sys.stdout.write(f"{again or error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
