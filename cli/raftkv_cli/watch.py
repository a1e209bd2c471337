"""`raftkv watch`: prints what changes, or runs a program for each change."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from raftkv.pb import kv, rpc
from raftkv_cli.formats import go
from raftkv_cli.parameter_types import BYTES, REVISION
from raftkv_cli.session import Session, with_session
from raftkv_cli.wrapping import Wrapping, program_of

if TYPE_CHECKING:
    from raftkv.client import Client, Watch, WatchBatch


@click.command(
    "watch",
    cls=Wrapping,
    examples="""
    raftkv watch /jobs/7/state
    raftkv watch /jobs/ --prefix --rev 42 --prev-kv
    raftkv watch /jobs/7/state -w json
    raftkv watch /config -- sh -c 'systemctl reload trainer'
    raftkv watch -i
    """,
)
@click.argument("key", type=BYTES, required=False, envvar=["RAFTKV_WATCH_KEY", "ETCDCTL_WATCH_KEY"])
@click.argument("range_end", type=BYTES, required=False, envvar=["RAFTKV_WATCH_RANGE_END", "ETCDCTL_WATCH_RANGE_END"])
@click.option("-i", "--interactive", is_flag=True, help="Read watches, and requests for progress, from standard input.")
@click.option("--prefix", is_flag=True, help="Watch all keys that start with KEY.")
@click.option("--rev", type=REVISION, default=0, help="From this revision on; 0: from now on.")
@click.option("--prev-kv", is_flag=True, help="Print the pair that was there before, too.")
@click.option("--progress-notify", is_flag=True, help="Print now and then that nothing has happened.")
@with_session
def watch(session: Session, /, *, interactive: bool, **query: Any) -> None:
    """Print what changes, until Ctrl-C.

    With RANGE_END, the keys from KEY up to but without RANGE_END. With PROGRAM, runs it for each event, with
    ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and ETCD_WATCH_VALUE in its environment, and ends when it fails.

    With -i, each line of standard input is `watch` with its options, key and program, or `progress`. KEY and RANGE_END
    are also read from the environment, as RAFTKV_WATCH_KEY or ETCDCTL_WATCH_KEY.
    """
    if interactive:
        from raftkv_cli.watch_interactive import converse  # noqa: PLC0415 - loaded where it is used

        asyncio.run(converse(session))
        return
    arguments = watch_arguments(**query)
    program = program_of(click.get_current_context())
    session.call(lambda client: _watch(session, client, arguments, program))


def watch_arguments(
    *, key: bytes | None, range_end: bytes | None, prefix: bool, rev: int, prev_kv: bool, progress_notify: bool
) -> dict[str, Any]:
    """The arguments of Client.watch. Raises click.UsageError for options that contradict each other."""
    if key is None:
        raise click.UsageError("watch needs a key")
    if prefix and range_end is not None:
        raise click.UsageError("range_end and --prefix are mutually exclusive")
    return {
        "key": key,
        "range_end": range_end,
        "prefix": prefix,
        "start_revision": rev,
        "prev_kv": prev_kv,
        "progress_notify": progress_notify,
    }


async def follow(session: Session, stream: "Watch", program: Sequence[str]) -> None:
    """Prints what an open watch sees, and runs the program for each event, until somebody ends it. Raises as Watch does."""
    async for batch in stream:
        _show(session, batch)
        if program:
            for event in batch.events:
                await _run(program, event, batch.header.revision)


async def _watch(session: Session, client: "Client", arguments: dict[str, Any], program: Sequence[str]) -> None:
    async with client.watch(**arguments) as stream:
        await follow(session, stream, program)


def _show(session: Session, batch: "WatchBatch") -> None:
    from raftkv_cli.formats.watch import Changes  # noqa: PLC0415 - with it come all formats

    if not batch.events:
        session.write(b"progress notify: %d\n" % batch.revision)
    session.show(Changes(rpc.WatchResponse(header=batch.header, events=batch.events)))


async def _run(program: Sequence[str], event: kv.Event, revision: int) -> None:
    """Runs the program to its end. Keys and values are quoted as etcdctl quotes them."""
    environment = {
        **os.environ,
        "ETCD_WATCH_REVISION": str(revision),
        "ETCD_WATCH_EVENT_TYPE": go.quote(kv.Event.EventType.Name(event.type)),
        "ETCD_WATCH_KEY": go.quote(event.kv.key),
        "ETCD_WATCH_VALUE": go.quote(event.kv.value),
    }
    process = await asyncio.create_subprocess_exec(*program, env=environment)
    code = await process.wait()
    if code:
        shown = " ".join(map(go.quote, program))
        meaning = f"exit status {code}" if code > 0 else f"signal {-code}"
        raise click.ClickException(f"command [{shown}] error ({meaning})")
