"""What is wrong with a cluster, told from its picture: the worst first. Values in, values out.

A dashboard must say at a glance whether all is well. `raftkv doctor` looks closer: at hashes, certificates, descriptors.
"""

from collections.abc import Iterator
from typing import Final

from raftkv.ui.question import Json

BAD, WARN = "bad", "warn"
LAG_ENTRIES: Final = 5000
"""A member that is so far behind needs a snapshot soon."""
NEAR_QUOTA: Final = 0.8
SLOW_SYNC_MS: Final = 100.0
SLOW_LOOP_MS: Final = 250.0
CLOCKS_APART_S: Final = 0.5


def findings(picture: Json) -> list[Json]:
    """Each with a severity, a subject and a sentence."""
    found = [*_quorum(picture), *_leader(picture), *_alarms(picture), *_members(picture)]
    return sorted(found, key=lambda finding: finding["severity"] != BAD)


def _finding(severity: str, subject: str, text: str) -> Json:
    return {"severity": severity, "subject": subject, "text": text}


def _quorum(picture: Json) -> Iterator[Json]:
    voters = [member for member in picture["members"] if not member["learner"]]
    answering = sum(member["answers"] for member in voters)
    quorum = len(voters) // 2 + 1
    if answering < quorum:
        yield _finding(BAD, "cluster", f"{answering} of {len(voters)} voters answer; {quorum} are needed to write")
    elif answering == quorum and len(voters) > 1:
        yield _finding(WARN, "cluster", f"no margin: {answering} of {len(voters)} voters answer, and {quorum} are needed")


def _leader(picture: Json) -> Iterator[Json]:
    if not picture["leader"]:
        yield _finding(BAD, "cluster", "no leader is known: nothing can be written")


def _alarms(picture: Json) -> Iterator[Json]:
    names = {member["id"]: member["name"] or member["id"] for member in picture["members"]}
    what = {"NOSPACE": "the quota is used up: writes are refused until space is made", "CORRUPT": "its data differs"}
    for alarm in picture["alarms"]:
        text = what.get(alarm["alarm"], "")
        yield _finding(
            BAD, names.get(alarm["member"], alarm["member"]), f"alarm {alarm['alarm']}" + (f": {text}" if text else "")
        )


def _members(picture: Json) -> Iterator[Json]:
    ahead = max((member.get("committed", 0) for member in picture["members"] if member["answers"]), default=0)
    for member in picture["members"]:
        name = member["name"] or member["id"]
        if not member["started"]:
            yield _finding(WARN, name, "was added and has not been started")
        elif not member["answers"]:
            yield _finding(BAD, name, member["error"] or "does not answer")
        else:
            yield from _member(member, name, ahead)


def _member(member: Json, name: str, ahead: int) -> Iterator[Json]:
    lag = ahead - member.get("applied", ahead)
    if lag > LAG_ENTRIES:
        yield _finding(WARN, name, f"{lag} entries behind")
    if member.get("quota") and member["in_use"] > NEAR_QUOTA * member["quota"]:
        yield _finding(WARN, name, f"{100 * member['in_use'] // member['quota']} % of the quota is used")
    now = member["now"]
    if now["writes_per_s"] and (now["sync_p99_ms"] or 0) > SLOW_SYNC_MS:
        yield _finding(WARN, name, f"slow disk: 1 sync in 100 takes more than {now['sync_p99_ms']:.0f} ms")
    if now["writes_per_s"] is not None and (now["lag_p99_ms"] or 0) > SLOW_LOOP_MS:
        yield _finding(WARN, name, f"busy: its event loop is {now['lag_p99_ms']:.0f} ms late")
    apart = max((abs(clock) for clock in member.get("clocks", {}).values()), default=0.0)
    if apart > CLOCKS_APART_S:
        yield _finding(WARN, name, f"its clock differs from another member's by {apart:.1f} s")
