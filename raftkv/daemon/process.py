"""One node as a process: a life, from start to stop.

    start   data directory -> identity -> state -> Raft -> peers -> clients
    stop    no new calls -> hand leadership over -> drain calls -> replica -> peers -> disk

Settings come in, an exit comes out: `run` returns after a clean stop and raises what the node could not survive.
"""

import asyncio
import ctypes
import gc
import os
import random
import signal
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

import structlog
import uvloop

from raftkv.clock import unix_time
from raftkv.config import ServerConfig, parse_urls, parse_words
from raftkv.daemon.clients import Clients, listening_on
from raftkv.daemon.identity import identify
from raftkv.daemon.node import Node, assemble
from raftkv.errors import RaftKVError, RemovedMemberError
from raftkv.server.compaction import PeriodicCompactor, RevisionCompactor, keep_compacting
from raftkv.server.corruption import CorruptionCheck
from raftkv.server.publish import publish
from raftkv.server.replica import Replica
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.thread import StorageThread
from raftkv.telemetry import configure_logs
from raftkv.tracing import Recorder, open_recorder

log = structlog.get_logger(__name__)

HAND_OVER_S = 1.5
DRAIN_S = 2.0
"""Together with HAND_OVER_S well within the 5 s that a stop may take."""
GC_THRESHOLD = 50_000
"""Requests make few cycles; a full collection of a large heap would be a pause that clients see."""
KEPT_BYTES = 16 * 1024 * 1024
"""Freed memory that is not given back."""
LARGEST_KEPT_BYTES = 4 * 1024 * 1024
"""A piece of memory from which on it is given back at once, whatever is kept."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""glibc's malloc.h."""


def run(config: ServerConfig) -> None:
    """Runs one node until SIGTERM or SIGINT.

    Raises:
        ConfigError: the settings do not fit this machine or this data directory.
        StorageError: the disk failed.
    """
    configure_logs(config.log_level, config.log_format, parse_words(config.log_outputs) or ("stderr",))
    uvloop.run(_Process(config).run())


class _Process:
    """One node's process, from start to stop."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._rng = random.Random(os.urandom(32))  # noqa: S311 (jitter and numbers that must differ, no secrets)
        self._recorder: Recorder | None = None
        """Of requests that are traced."""

    async def run(self) -> None:
        """Starts, waits, stops."""
        loop = asyncio.get_running_loop()
        asked_to_stop: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked_to_stop.cancel)
        engine = RocksEngine(self._config.directory)
        storage = StorageThread(loop)
        try:
            await self._live(engine, storage, asked_to_stop)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await storage.stop()
            engine.close()
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)
        log.info("stopped")

    async def _live(self, engine: RocksEngine, storage: StorageThread, asked_to_stop: "asyncio.Future[None]") -> None:
        config = self._config
        identity = await identify(engine, config)
        parts = assemble(config, identity, engine, storage, self._rng)
        self._recorder = open_recorder(
            config.collector,
            service=config.tracing_service_name,
            node=f"{identity.node_id:x}",
            now=parts.clock.now,
            unix_time=unix_time,
        )
        if identity.node_id in parts.machine.removed:
            raise RemovedMemberError(identity.node_id)
        async with asyncio.TaskGroup() as tasks:
            node = Node(config, identity, parts, engine, tasks)
            clients = Clients(node, config, self._recorder)
            try:
                await self._serve(node, clients, asked_to_stop, tasks)
            finally:
                node.stop()
                await clients.stop(0.0)
                await node.peers.close()
        if node.replica.failed.done():
            node.replica.failed.result()

    async def _serve(
        self, node: Node, clients: Clients, asked_to_stop: "asyncio.Future[None]", tasks: asyncio.TaskGroup
    ) -> None:
        node.start()
        await self._listen(node, clients)
        node.measure()
        under_way = [tasks.create_task(duty) for duty in duties(node, self._config)]
        await asyncio.wait([asked_to_stop, node.replica.failed], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        node.health.stop_serving()
        node.callers.stop()
        for duty in under_way:
            duty.cancel()
        await self._leave(node.replica, clients)

    async def _listen(self, node: Node, clients: Clients) -> None:
        config, settings = self._config, node.replica.settings
        for url in parse_urls(config.listen_peer_urls, "listen-peer-urls"):
            with listening_on(url, "listen-peer-urls", config.peer_tls):
                await node.peers.listen(url.host, url.port, node.replica, secure=url.scheme == "https")
        node.replica.start(node.peers)
        await clients.listen()
        log.info(
            "serving", member=f"{settings.node_id:x}", cluster=f"{settings.cluster_id:x}", clients=config.listen_client_urls
        )
        _settle_memory()

    async def _leave(self, replica: Replica, clients: Clients) -> None:
        """The others should not have to find out by silence."""
        if replica.failed.done():
            return
        with suppress(RaftKVError, TimeoutError):
            async with asyncio.timeout(HAND_OVER_S):
                await replica.hand_over()
        await clients.stop(DRAIN_S)


def duties(node: Node, config: ServerConfig) -> Iterator[Coroutine[Any, Any, None]]:
    """What is done for as long as the node lives."""
    replica = node.replica
    yield node.probes.keep_probing()
    yield publish(replica, config.name, [str(url) for url in config.client_urls])
    check = CorruptionCheck(replica)
    if config.experimental_initial_corrupt_check:
        yield check.check_start()
    after_compactions = config.seconds("compact_hash_check_time") if config.compact_hash_check_enabled else 0.0
    if (periodic := config.seconds("corrupt_check_time")) or after_compactions:
        yield check.keep_checking(periodic, after_compactions)
    retention = config.compaction_retention
    if retention and config.auto_compaction_mode == "periodic":
        yield keep_compacting(replica, PeriodicCompactor(retention, lambda: replica.store.revision, node.clock))
    elif retention:
        yield keep_compacting(replica, RevisionCompactor(int(retention), lambda: replica.store.revision))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error behind a group of them: one line for the operator."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _settle_memory() -> None:
    """What is there now stays for the life of the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Answers to many come and go by the megabyte. What they leave stays with the process: given back to the kernel, it would have to
    be found and cleared page by page for the next ones. Elsewhere than on glibc (mallopt(3)) nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
