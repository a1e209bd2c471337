"""The commands about the members of the cluster."""

import click

from raftkv_cli.command import Group
from raftkv_cli.formats.members import Added, Changed
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session


class MemberId(click.ParamType[int]):
    """A member's id in hexadecimal, as `member list` shows it."""

    name = "member id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(str(value), 16)
        except ValueError:
            self.fail(f"bad member ID arg ({value!r}), expecting ID in Hex", param, ctx)


_ID = click.argument("member_id", metavar="ID", type=MemberId())
_PEER_URLS = click.option("--peer-urls", required=True, help="Where the other members find it, as http://host:port,...")


@click.group("member", cls=Group)
def member() -> None:
    """Look at the members of the cluster, and change them."""


@member.command(
    "list",
    tabular=True,
    examples="""
    raftkv member list
    raftkv member list -w table
    """,
)
@with_session
def member_list(session: Session, /) -> None:
    """List the members of the cluster.

    The simple format lists: id, has it started, name, peer URLs, client URLs, is it a learner.
    """
    session.show(session.call(lambda client: client.members()))


@member.command(
    "add",
    examples="""
    raftkv member add d --peer-urls=http://10.0.0.4:2380
    raftkv member add d --peer-urls=http://10.0.0.4:2380 --learner
    raftkv member add d --peer-urls=http://10.0.0.4:2380 --wait
    """,
)
@click.argument("name")
@_PEER_URLS
@click.option("--learner", is_flag=True, help="It only learns, until it is promoted.")
@click.option("--wait", is_flag=True, help="Wait until it has what the others have, and show how far it is.")
@click.option("--wait-timeout", type=DURATION, default="10m", show_default=True, help="How long to wait.")
@with_session
def member_add(session: Session, /, *, name: str, peer_urls: str, learner: bool, wait: bool, wait_timeout: float) -> None:
    """Add a member to the cluster.

    Then start it, with an empty data directory and the settings that are printed.
    """
    urls = peer_urls.split(",")
    answer = session.call(lambda client: client.member_add(urls, learner=learner))
    session.show(Added(name, answer))
    if wait:
        import asyncio  # noqa: PLC0415 - beside the next one

        from raftkv_cli.joining import wait_until_joined  # noqa: PLC0415 - it takes a while to load

        asyncio.run(wait_until_joined(session, answer.member.ID, wait_timeout))


@member.command(
    "watch",
    examples="""
    raftkv member watch
    raftkv member watch --interval 5s
    """,
)
@click.option("--interval", type=DURATION, default="1s", show_default=True, help="Between two looks.")
@click.option("--changes", type=click.IntRange(1), help="End after so many changes; else at Ctrl-C.")
@with_session
def member_watch(session: Session, /, *, interval: float, changes: int | None) -> None:
    """Print who comes, goes, leads and falls silent, as it happens."""
    import asyncio  # noqa: PLC0415 - beside the next one

    from raftkv_cli.member_watch import follow  # noqa: PLC0415 - it takes a while to load

    asyncio.run(follow(session, interval, changes))


@member.command("promote", examples="raftkv member promote 8e9e05c52164694d")
@_ID
@with_session
def member_promote(session: Session, /, *, member_id: int) -> None:
    """Let a learner vote that has nearly caught up."""
    session.show(Changed(member_id, "promoted in", session.call(lambda client: client.member_promote(member_id))))


@member.command("update", examples="raftkv member update 8e9e05c52164694d --peer-urls=http://10.0.0.9:2380")
@_ID
@_PEER_URLS
@with_session
def member_update(session: Session, /, *, member_id: int, peer_urls: str) -> None:
    """Tell the cluster where a member is to be found now."""
    urls = peer_urls.split(",")
    session.show(Changed(member_id, "updated in", session.call(lambda client: client.member_update(member_id, urls))))


@member.command("remove", examples="raftkv member remove 8e9e05c52164694d")
@_ID
@with_session
def member_remove(session: Session, /, *, member_id: int) -> None:
    """Remove a member from the cluster, for good.

    Its node ends. To take part again it needs an empty data directory, and to be added anew.
    """
    session.show(Changed(member_id, "removed from", session.call(lambda client: client.member_remove(member_id))))
