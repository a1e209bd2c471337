"""From an answer's status back to the class that names it."""

from raftkv.client.channel import Reply
from raftkv.errors import RequestError, error_of_status


def error_of(reply: Reply) -> RequestError:
    """The error that a reply with a status other than OK stands for."""
    return error_of_status(reply.code, reply.text)
