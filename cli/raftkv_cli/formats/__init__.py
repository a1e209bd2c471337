"""The output formats: one file for each, built from the protobuf answers, byte for byte what etcdctl 3.5 prints."""

from importlib import import_module

from raftkv_cli.formats.answers import Answer, EndpointHealth, EndpointStatus, Healths, Printable, Statuses, Style

__all__ = ["Answer", "EndpointHealth", "EndpointStatus", "Healths", "Printable", "Statuses", "Style", "render"]

_MODULES = {"simple": "simple", "fields": "fields", "json": "json_text", "table": "table", "protobuf": "protobuf"}


def render(write_out: str, answer: Answer, style: Style) -> bytes:
    """The answer in the format named. Only that format's module is loaded."""
    rendered: bytes = import_module(f"raftkv_cli.formats.{_MODULES[write_out]}").render(answer, style)
    return rendered
