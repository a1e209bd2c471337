"""The commands about alarms: what keeps the cluster from taking writes until an operator has looked."""

import click

from raftkv.pb import rpc
from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session


@click.group("alarm", cls=Group)
def alarm() -> None:
    """Show and clear alarms."""


@alarm.command("list", examples="raftkv alarm list")
@with_session
def alarm_list(session: Session, /) -> None:
    """List the alarms in force.

    NOSPACE: a member's database has reached its quota. CORRUPT: a member's data differs from the others'.
    """
    session.show(session.call(lambda client: client.alarms()))


@alarm.command("disarm", examples="raftkv alarm disarm")
@with_session
def disarm(session: Session, /) -> None:
    """Clear all alarms.

    First see to their cause: an alarm whose cause persists comes back. Prints the alarms cleared.
    """
    cleared = session.call(lambda client: client.alarm_disarm())
    session.show(rpc.AlarmResponse(alarms=cleared))
