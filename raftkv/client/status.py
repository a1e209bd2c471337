"""From an answer's status back to the class that names it.

Servers answer with a gRPC code and a text, and the text is the error's identity (etcd client/v3 matches on it too). The
table is made from the class tree, so a class added to `raftkv.errors` is known here.
"""

from collections.abc import Iterator, Mapping

from raftkv.client.channel import Reply
from raftkv.errors import Code, DeadlineExceededError, InvalidArgumentError, RequestError, UnavailableError, UnimplementedError


def _classes(root: type[RequestError]) -> Iterator[type[RequestError]]:
    for child in root.__subclasses__():
        yield child
        yield from _classes(child)


BY_TEXT: Mapping[str, type[RequestError]] = {error.text: error for error in reversed([*_classes(RequestError)]) if error.text}

BY_CODE: Mapping[Code, type[RequestError]] = {
    Code.INVALID_ARGUMENT: InvalidArgumentError,
    Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    Code.UNIMPLEMENTED: UnimplementedError,
    Code.UNAVAILABLE: UnavailableError,
}
"""For texts that have no class: the class that says what the code means."""

_CODES: Mapping[int, Code] = {int(code): code for code in Code}


def error_of(reply: Reply) -> RequestError:
    """The error that a reply with a status other than OK stands for."""
    code = _CODES.get(reply.code, Code.UNKNOWN)
    error = BY_TEXT.get(reply.text) or BY_CODE.get(code, RequestError)
    return error(reply.text or f"the server answered {code.name} without a text", code=code)
