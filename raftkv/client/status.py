"""From an answer's status back to the class that names it."""

import re

from raftkv.client.channel import Reply
from raftkv.errors import BY_TEXT, RequestError, error_of_status

_GO_STATUS = re.compile(r"rpc error: code = \w+ desc = (.*)", re.DOTALL)


def error_of(reply: Reply) -> RequestError:
    """The error that a reply with a status other than OK stands for."""
    return error_of_status(reply.code, reply.text)


def error_of_reason(reason: str) -> RequestError:
    """The error that a watch was cancelled for: a bare text, or Go's rendering of a status around it.

    "rpc error: code = PermissionDenied desc = etcdserver: permission denied" -> PermissionDeniedError
    """
    match = _GO_STATUS.fullmatch(reason)
    text = match[1] if match else reason
    error = BY_TEXT.get(text, RequestError)
    return error(text or "the server cancelled the watch without a reason")
