"""The options that every command takes: where the cluster is, how to reach it, how to print.

They stand before or after the command, the later one wins; the environment is asked once, at the root. RAFTKV_* counts before
ETCDCTL_*, which is read because it is set on machines where etcd is at home.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import click

from raftkv_cli.parameter_types import DURATION

WRITE_OUT = ("simple", "table", "json", "fields", "protobuf")
DEFAULT_ENDPOINTS = "127.0.0.1:2379"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the global options say. Durations are in seconds, paths are files in PEM form."""

    endpoints: str = DEFAULT_ENDPOINTS
    cacert: str = ""
    cert: str = ""
    key: str = ""
    insecure_skip_tls_verify: bool = False
    insecure_transport: bool = True
    """False: TLS always; True: TLS where a certificate option or an https:// endpoint asks for it."""
    user: str = ""
    """Name, or name:password; nothing: whoever the certificate says, or nobody."""
    password: str = ""
    """With `user`, which then is the name alone."""
    dial_timeout: float = 2.0
    command_timeout: float = 5.0
    hex: bool = False
    debug: bool = False
    write_out: str = "simple"

    def endpoint_list(self) -> list[str]:
        """The endpoints without blanks; at least one."""
        endpoints = [endpoint.strip() for endpoint in self.endpoints.split(",") if endpoint.strip()]
        if not endpoints:
            raise click.BadParameter("no endpoint given", param_hint="'--endpoints'")
        return endpoints


class GlobalOption(click.Option):
    """An option that every command has; its value goes to the context that all commands share."""

    def __init__(self, *declarations: str, setting: str, from_environment: bool, **kwargs: Any) -> None:
        self.setting = setting
        name = setting.upper()
        super().__init__(
            [*declarations, f"global_{setting}"],
            default=None,
            expose_value=False,
            callback=_remember,
            envvar=[f"RAFTKV_{name}", f"ETCDCTL_{name}"] if from_environment else None,
            allow_from_autoenv=False,
            **kwargs,
        )


def global_options(*, from_environment: bool) -> Iterable[GlobalOption]:
    """Fresh options for one command."""
    for declarations, setting, kwargs in _DECLARED:
        yield GlobalOption(*declarations, setting=setting, from_environment=from_environment, **kwargs)


def settings_of(context: click.Context) -> Settings:
    """What the global options of this command line say."""
    given: dict[str, Any] = {
        item.name: context.meta[_META + item.name] for item in fields(Settings) if _META + item.name in context.meta
    }
    return Settings(**given)


def write_out_of(context: click.Context) -> str:
    """The output format asked for."""
    return settings_of(context).write_out


_META = "raftkv_cli."

_FLAG = {"is_flag": True}
_FILE = {"metavar": "FILE"}
_DECLARED: tuple[tuple[tuple[str, ...], str, dict[str, Any]], ...] = (
    (
        ("--endpoints",),
        "endpoints",
        {"metavar": "HOST:PORT,...", "help": f"Where the cluster answers.  [default: {DEFAULT_ENDPOINTS}]"},
    ),
    (("--cacert",), "cacert", _FILE | {"help": "Trust servers whose certificate this CA bundle vouches for."}),
    (("--cert",), "cert", _FILE | {"help": "The client's certificate; needs --key."}),
    (("--key",), "key", _FILE | {"help": "The private key of --cert."}),
    (
        ("--insecure-skip-tls-verify",),
        "insecure_skip_tls_verify",
        _FLAG | {"help": "Use TLS without checking the server's certificate (for tests only)."},
    ),
    (
        ("--insecure-transport/--secure-transport",),
        "insecure_transport",
        _FLAG | {"help": "Allow plain text where nothing asks for TLS, or insist on TLS.  [default: allow]"},
    ),
    (
        ("--user",),
        "user",
        {"metavar": "NAME[:PASSWORD]", "help": "Who to be; the password is asked for where it is not given."},
    ),
    (("--password",), "password", {"help": "The password of --user, which then is the name alone."}),
    (("--dial-timeout",), "dial_timeout", {"type": DURATION, "help": "How long to wait for a connection.  [default: 2s]"}),
    (("--command-timeout",), "command_timeout", {"type": DURATION, "help": "How long to wait for an answer.  [default: 5s]"}),
    (("--hex",), "hex", _FLAG | {"help": "Print keys and values as \\x escapes, and member ids in hexadecimal."}),
    (("--debug",), "debug", _FLAG | {"help": "Show where an error comes from."}),
    (
        ("-w", "--write-out"),
        "write_out",
        {"type": click.Choice(WRITE_OUT, case_sensitive=False), "help": "The form of the output.  [default: simple]"},
    ),
)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    assert isinstance(option, GlobalOption)
    if value is not None:
        context.meta[_META + option.setting] = value
