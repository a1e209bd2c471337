"""Bugs of who may do what: each one an advisory of etcd's (the walk over a request, and when it is asked)."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

ACCESS = "raftkv.auth.access"
TESTS = ("tests:tests/auth/test_access.py",)


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = TESTS) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "S1",
        "a watch from a key on needs the rights of that key alone",
        ACCESS,
        "return allowed.may_read(request.key, request.range_end)",
        'return allowed.may_read(request.key, request.range_end.rstrip(b"\\0"))',
    ),
    _one(
        "S2",
        "what is nested in a transaction is not looked at",
        ACCESS,
        "return kind is not None and is_allowed(",
        'return kind == "request_txn" or kind is not None and is_allowed(',
    ),
    _one(
        "S3",
        "a put may read the value before",
        ACCESS,
        "if not allowed.may_write(request.key) or (request.prev_kv and not allowed.may_read(request.key)):",
        "if not allowed.may_write(request.key):",
    ),
    _one(
        "S3b",
        "a put may hang a key on anybody's lease",
        ACCESS,
        "return not request.lease or _writes_all(allowed, lease_keys(request.lease))",
        "return True or bool(lease_keys)",
    ),
    _one(
        "S4",
        "a method without a rule is open",
        "raftkv.rpc.admission",
        "RIGHTS.get(method.path, Right.NOBODY)",
        "RIGHTS.get(method.path, Right.OPEN)",
        ("tests:tests/auth",),
    ),
    _one("S9", "the keys of a lease are told to everybody", ACCESS, "return not request.keys or all(", "return True or all("),
    _one(
        "S16",
        "rights are asked for only where the request comes in",
        "raftkv.apply.machine",
        "        if self.auth.enabled:\n            check_rights",
        "        if self.auth.enabled and not body:\n            check_rights",
        ("tests:tests/auth/test_rights.py",),
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
