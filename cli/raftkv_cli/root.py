"""The `raftkv` command: the table of its commands, and what becomes of an error.

A failure ends as one line on stderr; a traceback is shown only where `--debug` asks for it.
"""

import os
import sys
import traceback

import click
from click.shell_completion import shell_complete

from raftkv import __version__
from raftkv.errors import ConfigError, RaftKVError
from raftkv_cli.command import Lazy, LazyGroup
from raftkv_cli.version import VERSION_TEXT

FAILED = 1
USAGE = 2
COMPLETION_VARIABLE = "_RAFTKV_COMPLETE"

COMMANDS = {
    "get": Lazy("raftkv_cli.key_value:get", "Read a key or a range of keys."),
    "put": Lazy("raftkv_cli.key_value:put", "Write a key."),
    "del": Lazy("raftkv_cli.key_value:delete", "Remove a key or a range of keys."),
    "txn": Lazy("raftkv_cli.transaction:txn", "Run several operations as one transaction."),
    "compact": Lazy("raftkv_cli.key_value:compact", "Drop the history before a revision."),
    "compaction": Lazy("raftkv_cli.key_value:compact", "Drop the history before a revision.", hidden=True),
    "watch": Lazy("raftkv_cli.watch:watch", "Print what changes, until Ctrl-C."),
    "lease": Lazy("raftkv_cli.lease:lease", "Grant, look at, renew and revoke leases."),
    "lock": Lazy("raftkv_cli.lock:lock", "Take a lock, and hold it while a program runs or until Ctrl-C."),
    "elect": Lazy("raftkv_cli.lock:elect", "Stand for leader, and lead while a program runs or until Ctrl-C."),
    "job": Lazy("raftkv_cli.job:job", "Look at training jobs, end them, keep nodes out."),
    "barrier": Lazy("raftkv_cli.barrier:barrier", "Wait until all nodes of a job are at the same point."),
    "checkpoint": Lazy("raftkv_cli.checkpoint:checkpoint", "Look at the checkpoints of a job."),
    "status": Lazy("raftkv_cli.endpoint:status", "Show the state of each endpoint."),
    "endpoint": Lazy("raftkv_cli.endpoint:endpoint", "Look at single endpoints."),
    "doctor": Lazy("raftkv_cli.doctor:doctor", "Look for what is wrong with the cluster, and say what to do about it."),
    "top": Lazy("raftkv_cli.top:top", "Show the cluster live: who leads, how much is done, who lags; Ctrl-C ends it."),
    "member": Lazy("raftkv_cli.member:member", "Look at the members of the cluster, and change them."),
    "snapshot": Lazy("raftkv_cli.snapshot:snapshot", "Save everything to a file, look at it, or make a new cluster of it."),
    "defrag": Lazy("raftkv_cli.upkeep:defrag", "Give the space of deleted data back to the disk."),
    "move-leader": Lazy("raftkv_cli.upkeep:move_leader", "Hand leadership to another member."),
    "downgrade": Lazy("raftkv_cli.upkeep:downgrade", "Bring the cluster down to an earlier version."),
    "alarm": Lazy("raftkv_cli.alarm:alarm", "Show and clear alarms."),
    "auth": Lazy("raftkv_cli.auth:auth", "Turn authentication on and off."),
    "user": Lazy("raftkv_cli.user:user", "Manage users, and the roles that they have."),
    "role": Lazy("raftkv_cli.role:role", "Manage roles: what users may read and write."),
    "quota": Lazy("raftkv_cli.quota:quota", "Limit what prefixes hold, and how much is asked of them."),
    "check": Lazy("raftkv_cli.check:check", "Check properties of the cluster, by writing to it."),
    "store": Lazy("raftkv_cli.store:store", "Serve TCPStore, PyTorch's key-value store, from the cluster."),
    "lighthouse": Lazy("raftkv_cli.lighthouse:lighthouse", "Serve torchft's lighthouse from the cluster."),
    "migrate": Lazy("raftkv_cli.migrate:migrate", "Copy a live etcd cluster to this one, and follow it until cut-over."),
    "log": Lazy("raftkv_cli.log:log", "Look into the Raft log of a node that is stopped."),
    "serve": Lazy("raftkv_cli.serve:serve", "Run one node of a cluster."),
    "dev": Lazy("raftkv_cli.dev:dev", "Run a small cluster on this machine."),
    "completion": Lazy("raftkv_cli.completion:completion", "Print a completion script for a shell."),
    "version": Lazy("raftkv_cli.version:version", "Print the version."),
}
"""In the order of `--help`; each summary is the first line of the command's own help (a test compares them)."""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"max_content_width": 100},
    examples="""
    raftkv put /jobs/7/state running
    raftkv get /jobs/ --prefix
    raftkv --endpoints 10.0.0.1:2379,10.0.0.2:2379 status -w table
    """,
)
@click.version_option(__version__, message=VERSION_TEXT)
def raftkv() -> None:
    """Talk to a raftkv or etcd cluster, or run a raftkv node.

    Global options stand before or after the command. Each is also read from the environment: --write-out from
    RAFTKV_WRITE_OUT, or else from ETCDCTL_WRITE_OUT; a command's own options from RAFTKV_<COMMAND>_<OPTION>.
    """


def invoke(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; Ctrl-C and a broken pipe are the caller's."""
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        return shell_complete(raftkv, {}, "raftkv", COMPLETION_VARIABLE, instruction)
    debug = "--debug" in arguments or bool(os.environ.get("RAFTKV_DEBUG"))
    try:
        return _invoke(arguments)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug of ours must not spill a traceback on an operator either
        if debug:
            traceback.print_exception(error)
        text, code = _verdict(error)
        print(f"Error: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - click.echo would look up colours
        return code


def _invoke(arguments: list[str]) -> int:
    try:
        with raftkv.make_context("raftkv", arguments, auto_envvar_prefix="RAFTKV") as context:
            raftkv.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as asked_for_help:
        click.echo(asked_for_help.format_message())
    except click.Abort as abort:  # Ctrl-C or the end of input at a prompt
        raise KeyboardInterrupt from abort
    return 0


def _verdict(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit code."""
    match error:
        case click.ClickException():
            return error.format_message(), error.exit_code
        case ConfigError():
            return str(error), USAGE
        case RaftKVError() | OSError():
            return str(error) or type(error).__name__, FAILED
        case _:
            return f"internal error: {error!r} (--debug shows where)", FAILED
