"""Bugs of locks and elections."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

LINE, REQUESTS, CANDIDACY = (f"raftkv.recipes.{name}" for name in ("line", "requests", "candidacy"))

RIG = ("tests:tests/recipes",)
"""They are about these very bugs, most of them by seed, under virtual time."""


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = RIG) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "E1",
        "a waiter whose key is gone gets the lock",
        LINE,
        "if own is None or own.create_revision != place.revision:",
        "if own is not None and own.create_revision < 0:",
    ),
    Mutant(
        "E2",
        "the order of the line is that of changes and not of creation",
        (
            Edit(REQUESTS, "max_create_revision=revision - 1,", "max_mod_revision=revision - 1,"),
            Edit(
                REQUESTS,
                "sort_order=rpc.RangeRequest.DESCEND,\n        sort_target=rpc.RangeRequest.CREATE,",
                "sort_order=rpc.RangeRequest.DESCEND,\n        sort_target=rpc.RangeRequest.MOD,",
            ),
        ),
        RIG,
    ),
    _one(
        "E3",
        "who waited for one that left has its turn, whoever else is before it",
        LINE,
        "        await gone(store, before, response.header.revision)\n",
        "        await gone(store, before, response.header.revision)\n        return response.header\n",
    ),
    _one(
        "E4",
        "a release takes away whatever stands under the key",
        LINE,
        "return await store.txn(txn([created_at(place.key, place.revision)], [delete(place.key)]))",
        "return await store.txn(txn([], [delete(place.key)]))",
    ),
    _one(
        "E4b",
        "who resigns late ends the leadership that came after",
        CANDIDACY,
        "txn([created_at(place.key, place.revision)], [delete(place.key)])",
        "txn([], [delete(place.key)])",
        RIG,
    ),
    _one(
        "E5",
        "an owner gets a second time what it holds",
        "raftkv.recipes.sessions",
        "        if (what, owner) in self._owners:\n",
        "        if (what, owner) in self._owners and not owner:\n",
        ("tests:tests/recipes/test_lock.py",),
    ),
    _one(
        "E6",
        "observers skip leaders that are gone when they look",
        CANDIDACY,
        "revision = sighting.header.revision",
        "revision = 0",
    ),
    _one(
        "E7",
        "who has lost proclaims all the same",
        CANDIDACY,
        "txn([created_at(place.key, place.revision)], [put(place.key, value, lease)])",
        "txn([], [put(place.key, value, lease)])",
    ),
    _one("E8", "the key of a lock hangs on no lease", LINE, "[put(key, value, lease), head]", "[put(key, value), head]"),
    _one(
        "E9",
        "the key of a waiter that gave up stays",
        LINE,
        "    await store.txn(txn([], [delete(key)]))\n",
        "    await store.txn(txn([], []))\n",
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
