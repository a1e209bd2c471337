"""`-w protobuf`: the answer's message, in its binary form, with nothing before or after it."""

import click
from google.protobuf.message import Message

from raftkv_cli.formats.answers import Answer, Printable, Style


def render(answer: Answer, style: Style) -> bytes:  # noqa: ARG001 - every format takes a style
    """The bytes of the message; what is put together from several answers has none."""
    message = answer.message if isinstance(answer, Printable) else answer
    if not isinstance(message, Message):
        raise click.UsageError("protobuf not supported as output format")
    return message.SerializeToString()
