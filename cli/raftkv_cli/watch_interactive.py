"""`raftkv watch -i`: watches and requests for progress, a line of standard input each, all on one stream."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from raftkv.errors import RequestError
from raftkv_cli import watch
from raftkv_cli.command import GoFlags
from raftkv_cli.global_options import GlobalOption
from raftkv_cli.session import Session
from raftkv_cli.transaction_text import TransactionTextError, split_words
from raftkv_cli.wrapping import split_program

if TYPE_CHECKING:
    from raftkv.client import Client, Watch

CHUNK_BYTES = 64 * 1024
LINES = 256
"""So many lines may wait to be handled; the next are not read."""


async def converse(session: Session) -> None:
    """Handles lines until the input ends, which is an error, as for etcdctl: whoever wants no more sends Ctrl-C."""
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(LINES)
    threading.Thread(target=_read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    try:
        async with session.client() as client, asyncio.TaskGroup() as tasks:
            conversation = _Conversation(session, client, tasks)
            while (line := await lines.get()) is not None:
                await conversation.answer(line)
            raise click.ClickException("error reading watch request line: EOF")
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None  # the first to fail has ended the others


class _Conversation:
    """The watches that were begun."""

    def __init__(self, session: Session, client: "Client", tasks: asyncio.TaskGroup) -> None:
        self._session = session
        self._client = client
        self._tasks = tasks
        self._streams: dict[Watch, None] = {}

    async def answer(self, line: bytes) -> None:
        """Handles a line, or says on standard error what is wrong with it."""
        try:
            await self.handle(line)
        except click.UsageError as error:
            _complain(f"Invalid command {os.fsdecode(line)} ({error.format_message()})")
        except (TransactionTextError, RequestError) as error:
            _complain(f"Invalid command {os.fsdecode(line)} ({error})")

    async def handle(self, line: bytes) -> None:
        """Does what a line says. Raises click.UsageError, TransactionTextError, RequestError."""
        match split_words(line):
            case []:
                _complain("Invalid command:  (watch and progress supported)")
            case [b"watch", *words]:
                own, program = split_program(words)
                stream = self._client.watch(**_arguments(own))
                await stream.open()
                self._streams[stream] = None
                self._tasks.create_task(self._follow(stream, [os.fsdecode(word) for word in program]))
            case [b"progress"]:
                for stream in list(self._streams)[:1]:  # the answer is for all of them
                    stream.request_progress()
            case _:
                _complain(f"Invalid command {os.fsdecode(line)} (only support watch)")

    async def _follow(self, stream: "Watch", program: Sequence[str]) -> None:
        try:
            await watch.follow(self._session, stream, program)
        except RequestError as error:
            _complain(f"watch was canceled ({error})")
        finally:
            del self._streams[stream]
            stream.close()


def _arguments(words: Sequence[bytes]) -> dict[str, Any]:
    """The arguments of Client.watch that stand in a line."""
    options = [parameter for parameter in watch.watch.params if not isinstance(parameter, GlobalOption)]
    own = [parameter for parameter in options if parameter.name != "interactive"]
    parser = GoFlags("watch", params=own, add_help_option=False)
    context = parser.make_context("watch", [os.fsdecode(word) for word in words])
    return watch.watch_arguments(**context.params)


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _read_lines(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[bytes | None]") -> None:
    """Runs in a thread of its own, which may be left behind in a read when the program ends: so nothing is locked meanwhile."""
    descriptor = sys.stdin.fileno()
    rest = b""
    with suppress(RuntimeError):  # the loop is closed: the program ends
        while chunk := os.read(descriptor, CHUNK_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()
        asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()
