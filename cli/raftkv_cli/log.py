"""`raftkv log`: what stands in the Raft log of a node that does not run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raftkv.errors import ConfigError
from raftkv_cli.command import Group

if TYPE_CHECKING:
    from raftkv.raft.messages import Entry
    from raftkv.storage.engine import Engine

MAX_SHOWN_BYTES = 80


@click.group("log", cls=Group)
def log() -> None:
    """Look into the Raft log of a node that is stopped."""


@log.command(
    "dump",
    examples="""
    raftkv log dump /var/lib/raftkv
    raftkv log dump /var/lib/raftkv --first 120000 --limit 50 -w json
    """,
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--first", type=click.IntRange(1), help="Begin with this index; else with the oldest that is left.")
@click.option("--limit", type=click.IntRange(1), help="At most so many entries.")
@click.pass_context
def dump(context: click.Context, *, directory: Path, first: int | None, limit: int | None) -> None:
    """Print the entries of a data directory's log, and what its node has promised.

    The node must not run. Entries behind the commit index may still be taken back. Passwords are never shown.
    """
    from raftkv.storage.rocks import RocksEngine  # noqa: PLC0415 - it loads the database
    from raftkv_cli.global_options import write_out_of  # noqa: PLC0415 - beside it

    if not (directory / "CURRENT").exists():
        raise ConfigError(f"{directory} is no data directory of raftkv")
    style = write_out_of(context)
    if style not in {"simple", "json"}:
        raise click.UsageError("log dump prints simple or json")
    engine = RocksEngine(directory)
    try:
        for row in rows(engine, first, limit):
            click.echo(json.dumps(row) if style == "json" else _line(row))
    finally:
        engine.close()


def rows(engine: "Engine", first: int | None, limit: int | None) -> Iterator[dict[str, Any]]:
    """A row for the node, and one for each entry."""
    from raftkv.apply.machine import APPLIED_ROW, decode_applied  # noqa: PLC0415 - it loads the server
    from raftkv.storage.engine import Table  # noqa: PLC0415 - as above
    from raftkv.storage.identity import read_identity  # noqa: PLC0415 - as above
    from raftkv.storage.log import LogStore  # noqa: PLC0415 - as above

    identity = read_identity(engine)
    store = LogStore.open(engine)
    promised = store.hard_state
    applied, _ = decode_applied(engine.get(Table.STATE, APPLIED_ROW))
    yield {
        "member": f"{identity.node_id:x}" if identity else "",
        "name": identity.name if identity else "",
        "term": promised.term,
        "vote": f"{promised.vote:x}",
        "commit": promised.commit,
        "applied": applied,
        "first_index": store.first_index(),
        "last_index": store.last_index(),
    }
    begin = max(first or 1, store.first_index())
    end = store.last_index() + 1 if limit is None else min(begin + limit, store.last_index() + 1)
    for index in range(begin, end):
        (entry,) = store.entries(index, index + 1, 1 << 62)
        yield entry_row(entry)


def entry_row(entry: "Entry") -> dict[str, Any]:
    """One entry, decoded."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - as the server

    from raftkv.pb.command import Command  # noqa: PLC0415 - as the server
    from raftkv.pb.raft import MembershipChange  # noqa: PLC0415 - as above
    from raftkv.raft.messages import ChangeKind, EntryKind  # noqa: PLC0415 - as above

    row: dict[str, Any] = {"index": entry.index, "term": entry.term, "kind": entry.kind.name.lower()}
    data = entry.data
    if entry.kind == EntryKind.MEMBERSHIP:
        change = MembershipChange.FromString(data)
        row["change"] = f"{ChangeKind(change.kind).name.lower()} {change.node_id:x}"
        data = change.context
    if not data:
        return row
    command = Command.FromString(data)
    body = command.WhichOneof("body") or "unknown"
    row |= {"command": body, "proposer": f"{command.proposer:x}"}
    if command.HasField("request_id"):
        row["request_id"] = f"{command.request_id.client.hex()}-{command.request_id.sequence}"
    if command.user:
        row["user"] = command.user
    if body != "unknown":
        shown = MessageToDict(getattr(command, body), preserving_proto_field_name=True)
        row["body"] = {key: "..." if "assword" in key else value for key, value in shown.items()}
    return row


def _line(row: dict[str, Any]) -> str:
    if "index" not in row:
        return "# " + ", ".join(f"{key} {value}" for key, value in row.items())
    fixed = f"{row['index']} term {row['term']} {row['kind']}"
    parts = [row.get("change", ""), row.get("command", "") and f"{row['command']} by {row['proposer']}"]
    if "body" in row:
        text = json.dumps(row["body"])
        parts.append(text if len(text) <= MAX_SHOWN_BYTES else text[:MAX_SHOWN_BYTES] + "...")
    return " ".join([fixed, *[part for part in parts if part]])
