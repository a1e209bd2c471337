"""The commands that ask each endpoint for itself: status and health. All are asked at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from raftkv.clock import SystemClock
from raftkv.errors import PermissionDeniedError, RaftKVError
from raftkv.pb import rpc
from raftkv_cli.command import Command, Group
from raftkv_cli.formats import EndpointHealth, EndpointStatus, Healths, Statuses, simple
from raftkv_cli.formats.snapshots import Hashes
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client

T = TypeVar("T")

CLUSTER = click.option("--cluster", is_flag=True, help="Ask every member that the cluster lists, at its client URLs.")


@click.group("endpoint", cls=Group)
def endpoint() -> None:
    """Look at single endpoints."""


@click.command(
    "status",
    cls=Command,
    tabular=True,
    examples="""
    raftkv status
    raftkv status --cluster -w table
    raftkv --endpoints 10.0.0.1:2379,10.0.0.2:2379 endpoint status -w json
    """,
)
@CLUSTER
@with_session
def status(session: Session, /, *, cluster: bool) -> None:
    """Show the state of each endpoint.

    The simple format lists: endpoint, member id, version, size of the database, is it the leader, is it a learner, Raft term,
    Raft index, applied Raft index, errors. An endpoint that does not answer is named on stderr, and the exit code is 1.
    """
    asked = asyncio.run(ask_each(session, _status_of, cluster=cluster))
    statuses = [answer for answer in asked if isinstance(answer, EndpointStatus)]
    for failure in asked:
        if isinstance(failure, EndpointHealth):
            click.echo(f"Error: failed to get the status of endpoint {failure.endpoint}: {failure.error}", err=True)
    session.show(Statuses(statuses))
    if len(statuses) < len(asked):
        raise click.exceptions.Exit(1)


endpoint.add_command(status)


@endpoint.command(
    "health",
    tabular=True,
    examples="""
    raftkv endpoint health
    raftkv endpoint health --cluster -w table
    """,
)
@CLUSTER
@with_session
def health(session: Session, /, *, cluster: bool) -> None:
    """Try a linearizable read at each endpoint.

    The exit code is 1 if one does not answer, or has an alarm.
    """
    healths = asyncio.run(ask_each(session, _health_of, cluster=cluster))
    session.show(Healths(healths))
    unwell = [item for item in healths if item.error]
    if session.settings.write_out == "simple":
        for item in unwell:
            click.echo(simple.unhealthy_line(item), err=True)
    if unwell:
        raise click.ClickException("unhealthy cluster")


@endpoint.command(
    "hashkv",
    tabular=True,
    examples="""
    raftkv endpoint hashkv --cluster
    raftkv endpoint hashkv --cluster --rev 1000 -w table
    """,
)
@CLUSTER
@click.option("--rev", type=int, default=0, help="Up to this revision; the newest if not given.")
@with_session
def hashkv(session: Session, /, *, cluster: bool, rev: int) -> None:
    """Show the checksum of each endpoint's keys.

    At the same revision, members of one cluster have the same; else one of them is corrupt.
    """

    async def hash_of(session: Session, name: str) -> tuple[str, rpc.HashKVResponse] | EndpointHealth:
        try:
            async with session.client(name) as client:
                return name, await client.hash_kv(name, revision=rev)
        except RaftKVError as error:
            return EndpointHealth(name, 0.0, str(error))

    asked = asyncio.run(ask_each(session, hash_of, cluster=cluster))
    failures = [failure for failure in asked if isinstance(failure, EndpointHealth)]
    for failure in failures:
        click.echo(f"Failed to get the hash of endpoint {failure.endpoint} ({failure.error})", err=True)
    session.show(Hashes([answer for answer in asked if not isinstance(answer, EndpointHealth)]))
    if failures:
        raise click.exceptions.Exit(1)


async def ask_each(session: Session, ask: Callable[[Session, str], Coroutine[Any, Any, T]], *, cluster: bool) -> list[T]:
    """The answers in the order of the endpoints, however long each took."""
    session.client()  # options that cannot be are the command's error, not one for each endpoint
    endpoints = await _endpoints_of_cluster(session) if cluster else session.settings.endpoint_list()
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(session, name)) for name in endpoints]
    return [task.result() for task in asked]


async def _endpoints_of_cluster(session: Session) -> list[str]:
    async with session.client() as client:
        members = (await client.members()).members
    return list(dict.fromkeys(url for member in members for url in member.clientURLs))


async def _status_of(session: Session, name: str) -> EndpointStatus | EndpointHealth:
    """The endpoint's status, or why there is none."""
    try:
        async with session.client(name) as client:
            return EndpointStatus(name, await client.status(name))
    except RaftKVError as error:
        return EndpointHealth(name, 0.0, str(error))


async def _health_of(session: Session, name: str) -> EndpointHealth:
    """A read that only a member in touch with a quorum can answer; any key will do, for it need not exist."""
    clock = SystemClock()
    begun = clock.now()
    try:
        async with session.client(name) as client:
            with suppress(PermissionDeniedError):  # to say so, the cluster had to agree on who may read
                await client.range(b"health")
            seconds = clock.now() - begun
            return EndpointHealth(name, seconds, await _alarms_of(client))
    except RaftKVError as error:
        return EndpointHealth(name, clock.now() - begun, str(error))


async def _alarms_of(client: "Client") -> str:
    try:
        alarms = (await client.alarms()).alarms
    except RaftKVError as error:
        return f"Unable to fetch the alarm list: {error}"
    return "Active Alarm(s): " + "".join(f"{rpc.AlarmType.Name(alarm.alarm)} " for alarm in alarms) if alarms else ""
