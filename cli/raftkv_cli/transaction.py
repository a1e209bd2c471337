"""`raftkv txn`: the operations of its text are parsed by the very commands get, put and del."""

import os
import sys
from typing import Any

import click

from raftkv.pb import rpc
from raftkv_cli import key_value
from raftkv_cli.command import Command, GoFlags
from raftkv_cli.global_options import GlobalOption
from raftkv_cli.requests import delete_arguments, put_arguments, range_arguments
from raftkv_cli.session import Session, with_session
from raftkv_cli.transaction_text import Parts, TransactionTextError, read_parts


@click.command(
    "txn",
    cls=Command,
    examples=r"""
    raftkv txn < takeover.txt

    where takeover.txt holds compares, requests if all hold, requests if not, an empty line after each:

        value("/jobs/7/owner") = "worker-3"
        mod("/jobs/7/state") > "0"

        put /jobs/7/owner "worker-4"
        put /jobs/7/note "taken\nover"

        get /jobs/7/owner
    """,
)
@click.option("-i", "--interactive", is_flag=True, help="Say what is to be entered.")
@with_session
def txn(session: Session, /, *, interactive: bool) -> None:
    """Run several operations as one transaction.

    Reads from standard input: compares (value, version, create, mod or lease of a key; = != < >), the requests if all of them
    hold, the requests if not; an empty line ends each part. Requests are get, put and del with their options.
    """
    stdin = sys.stdin.buffer
    parts = read_parts(iter(stdin.readline, b""), _announce if interactive else _say_nothing)
    success, failure = operations(parts)
    session.show(session.call(lambda client: client.txn(parts.compares, success, failure)))


def operations(parts: Parts) -> tuple[list[rpc.RequestOp], list[rpc.RequestOp]]:
    """The requests for when the compares hold, and for when they do not."""
    return [parse_operation(words) for words in parts.success], [parse_operation(words) for words in parts.failure]


def parse_operation(words: list[bytes]) -> rpc.RequestOp:
    """Reads one get, put or del."""
    name = os.fsdecode(words[0])
    if name not in _COMMANDS:
        raise TransactionTextError(f"unknown request {name!r} in a transaction: it is get, put or del")
    try:
        return _request(name, _arguments(_COMMANDS[name], words[1:]))
    except click.UsageError as error:
        raise TransactionTextError(f"{name} in a transaction: {error.format_message()}") from error


def _request(name: str, arguments: dict[str, Any]) -> rpc.RequestOp:
    from raftkv.client import Delete, Get, Put  # noqa: PLC0415 - see the head of raftkv_cli.session

    if name == "get":
        if arguments.pop("max_staleness") is not None:
            raise click.UsageError("--max-staleness is for reads outside a transaction")
        arguments.pop("print_value_only")
        return Get(**range_arguments(**arguments))
    return Put(**put_arguments(**arguments)) if name == "put" else Delete(**delete_arguments(**arguments))


def _arguments(command: click.Command, words: list[bytes]) -> dict[str, Any]:
    """What the command would be called with: its own options only, neither help nor the environment."""
    own = [parameter for parameter in command.params if not isinstance(parameter, GlobalOption)]
    parser = GoFlags(command.name, params=own, add_help_option=False)
    context = parser.make_context(command.name, [os.fsdecode(word) for word in words])
    return dict(context.params)


_COMMANDS = {"get": key_value.get, "put": key_value.put, "del": key_value.delete}


def _announce(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_nothing(text: str) -> None:
    pass
