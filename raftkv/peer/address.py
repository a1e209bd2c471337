"""Where a member is: its peer URL, as a socket takes it."""

from typing import NamedTuple


class Address(NamedTuple):
    """`https://host:port`, or without a scheme for plain text."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> "Address":
        """The address in a URL, `host:port` or `[::1]:port`. Config has checked that it is one."""
        scheme, colon, rest = url.partition("://")
        host, _, port = (rest if colon else scheme).rpartition(":")
        return cls(host.strip("[]"), int(port), bool(colon) and scheme == "https")
