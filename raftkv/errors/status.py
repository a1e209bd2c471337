"""From a status back to the class that names it: what another process answered with, as this one raises it."""

from collections.abc import Iterator, Mapping

from raftkv.errors import auth, calls, jobs, keys, leases, members, quotas, recipes
from raftkv.errors.calls import DeadlineExceededError, UnimplementedError
from raftkv.errors.quotas import QuotaExceededError
from raftkv.errors.root import Code, InvalidArgumentError, RequestError, UnavailableError

SUBJECTS = (auth, calls, jobs, keys, leases, members, quotas, recipes)


def _named() -> Iterator[type[RequestError]]:
    """The classes that have a text of their own; one that inherits its text says more than a status can."""
    for subject in SUBJECTS:
        for kind in vars(subject).values():
            if isinstance(kind, type) and issubclass(kind, RequestError) and kind.__dict__.get("text"):
                yield kind


BY_TEXT: Mapping[str, type[RequestError]] = {kind.text: kind for kind in _named()}
"""The text is an error's identity (etcd client/v3 matches on it too); a class of a subject is in here without being told."""

BY_CODE: Mapping[Code, type[RequestError]] = {
    Code.INVALID_ARGUMENT: InvalidArgumentError,
    Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    Code.UNIMPLEMENTED: UnimplementedError,
    Code.UNAVAILABLE: UnavailableError,
}
"""For texts that have no class: the class that says what the code means."""

_CODES: Mapping[int, Code] = {int(code): code for code in Code}


def error_of_status(code: int, text: str) -> RequestError:
    """The error that another process answered with: a gRPC status other than OK, with its text."""
    known = _CODES.get(code, Code.UNKNOWN)
    if text.startswith(QuotaExceededError.START):
        return QuotaExceededError(text, code=known)
    error = BY_TEXT.get(text) or BY_CODE.get(known, RequestError)
    return error(text or f"the server answered {known.name} without a text", code=known)
