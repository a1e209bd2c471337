"""How what a watch sees is printed."""

from collections.abc import Iterator
from dataclasses import dataclass

from raftkv.pb import kv, rpc
from raftkv_cli.formats.answers import Field, Printable, Style, header_fields, header_value
from raftkv_cli.formats.fields import pair_fields
from raftkv_cli.formats.json_text import message_value
from raftkv_cli.formats.simple import pair_lines


@dataclass(frozen=True, slots=True)
class Changes(Printable):
    """Events that came together; none: a notice of progress."""

    message: rpc.WatchResponse

    def lines(self, style: Style) -> Iterator[bytes]:
        for event in self.message.events:
            yield type_name(event).encode()
            yield from pair_lines([event.prev_kv] if event.HasField("prev_kv") else [], style)
            yield from pair_lines([event.kv], style)

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        for event in self.message.events:
            yield "Type", type_name(event)
            yield from pair_fields([event.prev_kv] if event.HasField("prev_kv") else [], "Prev")
            yield from pair_fields([event.kv], "")

    def value(self) -> object:
        return {
            "Header": header_value(self.message.header),
            "Events": [message_value(event) for event in self.message.events],
            "CompactRevision": 0,
            "Canceled": False,
            "Created": False,
        }


def type_name(event: kv.Event) -> str:
    """PUT or DELETE."""
    return kv.Event.EventType.Name(event.type)
