"""A command's way to the cluster and to the terminal.

The client takes a tenth of a second to load, so it is loaded when a command speaks to the cluster, not for its help.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache, wraps
from math import inf
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from raftkv_cli.formats import Answer, Style, render
from raftkv_cli.global_options import Settings, settings_of
from raftkv_cli.password import ask

if TYPE_CHECKING:
    from ssl import SSLContext

    from raftkv.client import Client, TLSConfig

Parameters = ParamSpec("Parameters")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """One command line at work: it asks the cluster one thing, and prints the answer."""

    settings: Settings

    def client(self, *endpoints: str, lasting: bool = False) -> "Client":
        """A client of these endpoints, or of all that the options name. `lasting`: it outlives any trouble of the cluster."""
        from raftkv.client import Client  # noqa: PLC0415 - see the head of the module

        settings = self.settings
        wants_tls = (
            settings.cacert
            or settings.cert
            or settings.key
            or settings.insecure_skip_tls_verify
            or not settings.insecure_transport
        )
        user, password = _identity(settings)
        return Client(
            list(endpoints) or settings.endpoint_list(),
            timeout=inf if lasting else settings.command_timeout,
            dial_timeout=settings.dial_timeout,
            user=user,
            password=password,
            tls=_tls_of(settings) if wants_tls else None,
            wait_for_ready=lasting,  # who sits at a terminal wants to know at once that nobody listens
        )

    def tls_context(self) -> "SSLContext":
        """What an https:// address is to be trusted by, for what is asked past the client."""
        context = _tls_of(self.settings).context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    def call(self, ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
        """What the cluster answers."""

        async def conversation() -> T:
            async with self.client() as client:
                return await ask(client)

        return asyncio.run(conversation())

    def show(self, answer: Answer, *, values_only: bool = False, count_only: bool = False) -> None:
        """Prints an answer in the format asked for."""
        style = Style(hex=self.settings.hex, values_only=values_only, count_only=count_only)
        self.write(render(self.settings.write_out, answer, style))

    def write(self, output: bytes) -> None:
        """Prints bytes as they are."""
        stdout = sys.stdout.buffer
        stdout.write(output)
        stdout.flush()


def with_session(command: Callable[Concatenate[Session, Parameters], T]) -> Callable[Parameters, T]:
    """Hands a command its session."""

    @wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> T:
        return command(Session(settings_of(click.get_current_context())), *args, **kwargs)

    return wrapped


def _tls_of(settings: Settings) -> "TLSConfig":
    if bool(settings.cert) != bool(settings.key):
        raise click.UsageError("--cert and --key must be given together")
    from raftkv.client import TLSConfig  # noqa: PLC0415 - see the head of the module

    files: dict[str, Any] = {
        "ca_file": settings.cacert or None,
        "cert_file": settings.cert or None,
        "key_file": settings.key or None,
    }
    return TLSConfig(**files, verify=not settings.insecure_skip_tls_verify)


@cache
def _identity(settings: Settings) -> tuple[str | None, str]:
    """Name and password; asked for once, however many clients a command makes."""
    if not settings.user:
        return None, ""
    if settings.password:
        return settings.user, settings.password
    name, colon, password = settings.user.partition(":")
    if not name:
        raise click.UsageError("empty user name is not allowed")
    return name, password if colon else ask("Password: ")
