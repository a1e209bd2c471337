"""The commands for keys and values: get, put, del and compact."""

import sys
from typing import Any

import click

from raftkv_cli.command import Command
from raftkv_cli.parameter_types import BYTES, DURATION, LEASE, REVISION
from raftkv_cli.requests import ORDERS, SORT_TARGETS, delete_arguments, put_arguments, range_arguments
from raftkv_cli.session import Session, with_session


@click.command(
    "get",
    cls=Command,
    examples="""
    raftkv get /jobs/7/state
    raftkv get /jobs/ --prefix --keys-only
    raftkv get /jobs/1 /jobs/5 --limit 10 -w json
    raftkv get /jobs/7/state --rev 42
    raftkv get /jobs/7/state --consistency s --max-staleness 500ms
    """,
)
@click.argument("key", type=BYTES)
@click.argument("range_end", type=BYTES, required=False)
@click.option("--prefix", is_flag=True, help="Get all keys that start with KEY.")
@click.option("--from-key", is_flag=True, help="Get all keys from KEY on, in the order of their bytes.")
@click.option("--limit", type=REVISION, default=0, help="At most so many; 0: all.")
@click.option("--rev", type=REVISION, default=0, help="As it was at this revision; 0: now.")
@click.option("--keys-only", is_flag=True, help="Leave the values out.")
@click.option("--count-only", is_flag=True, help="Only say how many there are.")
@click.option("--print-value-only", is_flag=True, help="Leave the keys out of the simple format.")
@click.option("--order", type=click.Choice(list(ORDERS), case_sensitive=False), help="ASCEND where left out.")
@click.option("--sort-by", type=click.Choice(list(SORT_TARGETS), case_sensitive=False), help="KEY where left out.")
@click.option(
    "--consistency",
    type=click.Choice(["l", "s"]),
    default="l",
    show_default=True,
    help="l: linearizable, no older than any write answered; s: serializable, what the asked node has.",
)
@click.option(
    "--max-staleness", type=DURATION, help="With --consistency s: fail if the node may be further behind (raftkv only)."
)
@with_session
def get(session: Session, /, *, print_value_only: bool, max_staleness: float | None, **query: Any) -> None:
    """Read a key or a range of keys.

    With RANGE_END, the keys from KEY up to but without RANGE_END.
    """
    simple = session.settings.write_out == "simple"
    if print_value_only and not simple:
        raise click.UsageError("--print-value-only is only for --write-out simple")
    if max_staleness is not None and query["consistency"] != "s":
        raise click.UsageError("--max-staleness needs --consistency s")
    arguments = range_arguments(**query)
    milliseconds = None if max_staleness is None else round(max_staleness * 1000)
    answer = session.call(lambda client: client.range(**arguments, max_staleness_ms=milliseconds))
    session.show(answer, values_only=print_value_only, count_only=arguments["count_only"])


@click.command(
    "put",
    cls=Command,
    examples="""
    raftkv put /jobs/7/state running
    raftkv put /jobs/7/spec < spec.yaml
    raftkv put /jobs/7/owner worker-3 --lease 694d5765fc71500b
    raftkv put -- /jobs/7/offset -1
    """,
)
@click.argument("key", type=BYTES)
@click.argument("value", type=BYTES, required=False)
@click.option("--lease", type=LEASE, default="0", help="Attach the key to this lease (hexadecimal).")
@click.option("--prev-kv", is_flag=True, help="Print the pair that was there before.")
@click.option("--ignore-value", is_flag=True, help="Keep the key's present value.")
@click.option("--ignore-lease", is_flag=True, help="Keep the key's present lease.")
@with_session
def put(session: Session, /, *, value: bytes | None, ignore_value: bool, **rest: Any) -> None:
    """Write a key.

    Without VALUE the value is read from standard input. If VALUE starts with '-', write '--' before KEY.
    """
    if value is None and not ignore_value:
        value = _value_from_stdin()
    arguments = put_arguments(value=value, ignore_value=ignore_value, **rest)
    session.show(session.call(lambda client: client.put(**arguments)))


@click.command(
    "del",
    cls=Command,
    examples="""
    raftkv del /jobs/7/state
    raftkv del /jobs/7/ --prefix --prev-kv
    raftkv del /jobs/1 /jobs/5
    """,
)
@click.argument("key", type=BYTES)
@click.argument("range_end", type=BYTES, required=False)
@click.option("--prefix", is_flag=True, help="Remove all keys that start with KEY.")
@click.option("--from-key", is_flag=True, help="Remove all keys from KEY on, in the order of their bytes.")
@click.option("--prev-kv", is_flag=True, help="Print the pairs that were removed.")
@with_session
def delete(session: Session, /, **query: Any) -> None:
    """Remove a key or a range of keys.

    With RANGE_END, the keys from KEY up to but without RANGE_END. Prints how many were removed.
    """
    arguments = delete_arguments(**query)
    session.show(session.call(lambda client: client.delete(**arguments)))


@click.command(
    "compact",
    cls=Command,
    tabular=True,
    examples="""
    raftkv compact 4711
    raftkv compact 4711 --physical
    """,
)
@click.argument("revision", type=REVISION)
@click.option("--physical", is_flag=True, help="Wait until the old revisions are gone from the disk.")
@with_session
def compact(session: Session, /, *, revision: int, physical: bool) -> None:
    """Drop the history before a revision.

    What the keys are at REVISION and later stays; reads at an earlier revision fail from then on.
    """
    session.call(lambda client: client.compact(revision, physical=physical))
    session.write(b"compacted revision %d\n" % revision)


def _value_from_stdin() -> bytes:
    stdin = sys.stdin.buffer
    value = b"" if stdin.isatty() else stdin.read()
    if not value:
        raise click.UsageError("put needs a value, as argument or on standard input")
    return value
