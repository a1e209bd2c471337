"""Bugs of torchft's lighthouse: who is in a quorum, its id, and who is told."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

RULES, STATE = "raftkv.lighthouse.quorum", "raftkv.lighthouse.lighthouses"
KEEPER, CALLERS = "raftkv.server.lighthouse_keeper", "raftkv.server.lighthouse_callers"
SIM = ("training", "tests:tests/lighthouse/test_under_faults.py")
RULED = ("tests:tests/lighthouse/test_quorum.py",)
"""The rules are a function: these tests ask it."""


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = SIM) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "H1",
        "another membership has the id of the last one",
        STATE,
        "            before = self._floor if last is None else last.quorum_id\n            last = Formed(before + 1,",
        "            before = self._floor if last is None else last.quorum_id - (len(groups) < len(last.groups))\n            last = Formed(before + 1,",
    ),
    _one(
        "H2",
        "a step that came to nothing does not change the id",
        STATE,
        " or any(member.commit_failures > 0 for member in request.participants):",
        ":",
    ),
    _one(
        "H3",
        "ids begin anew with a restart or a snapshot",
        STATE,
        'Formed(fields["quorum_id"], tuple(fields["groups"]), fields["revision"])',
        'Formed(1, tuple(fields["groups"]), fields["revision"])',
    ),
    _one(
        "H4",
        "who has died is alive: the heartbeat timeout is not looked at",
        RULES,
        "living = {group for group, heard_at in heartbeats.items() if heard_at > oldest}",
        "living = {group for group, heard_at in heartbeats.items() if heard_at > oldest - 1e9}",
    ),
    _one(
        "H5",
        "half of the living form a quorum, and so does the other half",
        RULES,
        "    if 2 * len(asking) <= len(living):\n",
        "    if 2 * len(asking) < len(living):\n",
        RULED,
    ),
    _one(
        "H6",
        "a quorum may have one group less than it needs",
        RULES,
        "if len(candidates) < options.min_replicas:",
        "if len(candidates) < options.min_replicas - 1:",
    ),
    _one(
        "H7",
        "nobody is waited for",
        RULES,
        "now - first < options.join_timeout_ms / 1000:",
        "now - first < 0:",
        RULED,
    ),
    _one(
        "H8",
        "newcomers are taken in while the others only shrink",
        RULES,
        "    if previous and any(caller.shrink_only for caller in asking.values()):\n",
        "    if previous and all(caller.shrink_only for caller in asking.values()):\n",
        RULED,
    ),
    _one(
        "H9",
        "who comes too late is told of the quorum before",
        KEEPER,
        "    return known is not None and (call.member == known.member or call.asked_at < known.asked_at)\n",
        "    return known is not None\n",
    ),
    _one(
        "H10",
        "of several calls of a group the one counts that the leader heard of last",
        KEEPER,
        "            if other is None or call.asked_at >= other.asked_at:\n",
        "            if other is None or call.since >= other.since:\n",
        ("tests:tests/lighthouse/test_under_faults.py",),
    ),
    _one(
        "H11",
        "who is in nobody's quorum is told of one",
        KEEPER,
        "request.tickets.extend(ticket for ticket, call in job.calls.items() if call.member.replica_id in chosen)",
        "request.tickets.extend(job.calls)",
    ),
    _one(
        "H12",
        "a new leader is not told who waits",
        CALLERS,
        "        elif leader != self._told or (now - self._told_at >= WHOLE_S and (self._calls or self._told_of_calls)):\n",
        "        elif self._told == NO_NODE:\n",
    ),
    _one(
        "H13",
        "what a deposed leader has decided counts",
        STATE,
        "        if request.term != term:\n            raise NotLeaderError\n",
        "",
        ("tests:tests/lighthouse/test_lighthouses.py",),
    ),
    _one(
        "H14",
        "a new leader takes silent groups for dead at once",
        KEEPER,
        "job.heartbeats.update(dict.fromkeys(groups, self._began))",
        "job.heartbeats.update(dict.fromkeys(groups, 0.0))",
        ("tests:tests/lighthouse/test_under_faults.py",),
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
