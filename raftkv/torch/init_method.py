"""`init_process_group("gloo", init_method="raftkv://h1:2379,h2:2379/JOB?rank=0&world_size=4")`, once raftkv.torch is imported.

Rank and world size come from the address, or from init_process_group's arguments, or else from the environment. `round` keeps
runs apart: one that is started again says another one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from torch.distributed.rendezvous import register_rendezvous_handler

from raftkv.errors import ConfigError
from raftkv.tcpstore import Namespace
from raftkv.torch.background import Access
from raftkv.torch.store import Store

SCHEME = "raftkv"


def register() -> None:
    """Makes the scheme known to torch. Idempotent."""
    with suppress(RuntimeError):  # it is known already
        register_rendezvous_handler(SCHEME, rendezvous)


def rendezvous(url: str, timeout: timedelta = timedelta(minutes=30), **_options: Any) -> Iterator[tuple[Store, int, int]]:
    """What torch asks a scheme for: a store, the rank, the world size. Raises ConfigError."""
    parts = urlsplit(url)
    job = unquote(parts.path.strip("/"))
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not parts.netloc or not job:
        raise ConfigError(f"{url}: it is raftkv://HOST:PORT,HOST:PORT/JOB?rank=0&world_size=4")
    rank, world_size = _number(options, "rank"), _number(options, "world_size")
    store = Store(Access(parts.netloc), Namespace(job, options.get("round", "1")))
    store.set_timeout(timeout)
    yield store, rank, world_size
    raise RuntimeError("a raftkv:// address is good for one group: make another for a group after it")


def _number(options: dict[str, str], name: str) -> int:
    text = options.get(name, os.environ.get(name.upper(), ""))
    if not text.isdigit():
        raise ConfigError(f"there is no {name}, neither in the address nor as {name.upper()} in the environment")
    return int(text)
