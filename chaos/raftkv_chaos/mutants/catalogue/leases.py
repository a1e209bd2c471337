"""Bugs of leases: who reckons, what a renewal promises, what hangs on what."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

KEEPER, TIMES, DUTY = (f"raftkv.server.{name}" for name in ("lease_keeper", "lease_times", "leader_duty"))
COMMANDS, LESSOR, STORE = "raftkv.lease.commands", "raftkv.lease.lessor", "raftkv.mvcc.store"

RIG = ("lease",)
MODEL = ("keys",)


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = RIG) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one("L1", "what a deposed leader said of time counts", COMMANDS, "    if leader != entry:\n", "    if leader > entry:\n"),
    _one(
        "L2",
        "a leader renews without asking whether it still leads",
        KEEPER,
        "confirmed = self._replica.read_for(source, term, lambda: None)",
        "confirmed = self._replica.read_local(lambda: None)",
    ),
    Mutant(
        "L3",
        "a new leader reckons from the grants it has seen and not from its own beginning",
        (
            Edit(
                KEEPER,
                "        if self._duty.term:\n            self._times.grant(lease, self._duty.now())",
                "        self._times.grant(lease, self._duty.now())",
            ),
            Edit(
                KEEPER,
                "        if self._duty.term:\n            self._times.forget(lease_id)",
                "        self._times.forget(lease_id)",
            ),
            Edit(
                KEEPER,
                "        if term:\n            self._allowed_at",
                "        if term and not len(self._times):\n            self._allowed_at",
            ),
            Edit(KEEPER, "        self._times.clear()\n        self._ending", "        self._ending"),
        ),
        RIG,
    ),
    _one(
        "L4",
        "a new leader forgets that a checkpoint says less than was promised since",
        TIMES,
        "            timed.checkpoint = -1\n",
        "            timed.checkpoint = 0\n",
    ),
    _one(
        "L4b",
        "a renewal does not tell the log that its checkpoint is out of date",
        TIMES,
        "                understated.append(lease_id)\n",
        "                timed.checkpoint = 0\n",
    ),
    _one(
        "L4c",
        "each new leader gives every lease its whole time again",
        TIMES,
        "    return lease.remaining_s or lease.ttl_s\n",
        "    return lease.ttl_s\n",
    ),
    _one(
        "L5",
        "every member ends leases by its own reckoning",
        DUTY,
        "term = replica.term if replica.is_leader and replica.machine.applied_term == replica.term else 0",
        "term = replica.term if replica.machine.applied_term == replica.term else 0",
    ),
    _one(
        "L6",
        "a lease that is being ended is renewed",
        TIMES,
        "                ending = True\n                continue\n",
        "                pass\n",
    ),
    _one(
        "L6b",
        "a lease that was revoked is renewed",
        KEEPER,
        "        if self._duty.term:\n            self._times.forget(lease_id)",
        "        if not self._duty.term:\n            self._times.forget(lease_id)",
    ),
    _one("L7", "a clock that jumps ends leases", DUTY, "return now - self._stood_still_s", "return now"),
    _one(
        "L8",
        "a key that was put again without its lease still ends with it",
        STORE,
        "if (lease or key in self._lease_by_key) and not request.ignore_lease:",
        "if lease and not request.ignore_lease:",
        MODEL,
    ),
    _one(
        "L9",
        "a put names a lease that is not there",
        STORE,
        "        if lease and not self._lease_exists(lease):\n            raise LeaseNotFoundError\n",
        "        if lease and not self._lease_exists(lease):\n            lease = 0\n",
        MODEL,
    ),
    _one(
        "L10",
        "a lease is granted under an id that is taken",
        LESSOR,
        "        if lease_id in self._leases:\n            raise LeaseExistsError\n",
        "",
        MODEL,
    ),
    _one(
        "L11",
        "the keys of a revoked lease go one by one",
        COMMANDS,
        "events = yield from self._store.delete_each([keys])",
        "events = yield from self._store.delete_each([[key] for key in keys])",
        MODEL,
    ),
    _one(
        "L12",
        "ends of leases wait behind a flood of writes",
        "raftkv.server.replica",
        "reply = self._proposals.add(body, self._clock.now(), duty=True)",
        "reply = self._proposals.add(body, self._clock.now())",
    ),
    _one(
        "L13",
        "all leases of a new leader end at once",
        TIMES,
        "slot = max(begun + time_s, slot + gap_s)",
        "slot = begun + time_s",
        ("tests:tests/lease/test_times.py", "lease"),
    ),
    _one("L14", "a renewal does not move the end of the lease", TIMES, "            timed.deadline = now + timed.ttl_s\n", ""),
    _one(
        "L15",
        "a lease whose end could not be told to the log never ends",
        KEEPER,
        "doomed = self._times.still_ending(self._ending)",
        "doomed = self._times.still_ending(())",
        ("tests:tests/server/test_leases.py", "lease"),
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
