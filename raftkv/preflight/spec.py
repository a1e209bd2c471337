"""Checks as people write them, one or several with semicolons in between.

    gpu                   whatever GPUs there are must be well
    gpu:8                 eight of them
    disk:/ckpt            a file is written to the folder, synced and read
    disk:/ckpt?free_gib=500&write_mib_s=200&read_mib_s=200&size_mib=256
    network               the cluster's endpoints, and the nodes of the job's last world whose addresses have a port
    network:h1:29500+h2:29500
    command:/opt/check.sh --quick          run without a shell; exit status 0 passes

`?timeout=30` (seconds) at the end of any of them says how long it may take.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from raftkv.errors import ConfigError
from raftkv.preflight.check import Check
from raftkv.preflight.command import CommandCheck
from raftkv.preflight.disk import DiskCheck
from raftkv.preflight.gpu import GpuCheck
from raftkv.preflight.network import Address, NetworkCheck

Options = dict[str, float]

_PARTS = re.compile(r"""(?:[^;'"]|'[^']*'|"[^"]*"|['"])+""")
"""Between semicolons, but for those in quotes."""
_DISK_OPTIONS = {"free_gib", "write_mib_s", "read_mib_s", "size_mib"}


def parse_checks(spec: str, *, endpoints: Sequence[str] = (), peers: Sequence[str] = ()) -> list[Check]:
    """The checks of a text.

    Args:
        spec: See the module.
        endpoints: Of the cluster, `host:port`.
        peers: Addresses of other nodes; those without a port are passed over.

    Raises:
        ConfigError: It says something that is no check.
    """
    network = NetworkCheck(addresses(endpoints), addresses(peers))
    return [_check(one.strip(), network) for one in _PARTS.findall(spec) if one.strip()]


def addresses(texts: Iterable[str]) -> list[Address]:
    """Those with a port."""
    found = []
    for text in texts:
        host, colon, port = text.rpartition(":")
        if colon and port.isdecimal():
            found.append((host.strip("[]"), int(port)))
    return found


def _check(spec: str, network: NetworkCheck) -> Check:
    kind, _, rest = spec.partition("?")[0].partition(":")
    kinds: dict[str, Callable[[str, Options], Check]] = {
        "gpu": _gpu,
        "disk": _disk,
        "network": lambda text, options: _network(text, options, network),
        "command": _command,
    }
    if kind not in kinds:
        raise ConfigError(f"{spec!r} is no check: there are {', '.join(sorted(kinds))}")
    head, mark, query = spec.rpartition("?")
    if not mark or "=" not in query:  # a command may well hold a question mark
        head, query = spec, ""
    rest = head.partition(":")[2]
    return kinds[kind](rest, _options(query, kind))


def _options(query: str, kind: str) -> Options:
    known = {"timeout"} | (_DISK_OPTIONS if kind == "disk" else set())
    options: Options = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ConfigError(f"a check of kind {kind} has no option {name!r}: it has {', '.join(sorted(known))}")
        try:
            options[name] = float(value)
        except ValueError:
            raise ConfigError(f"{name}={value} is no number") from None
    return options


def _gpu(text: str, options: Options) -> Check:
    if text and not text.isdecimal():
        raise ConfigError(f"gpu:{text} is no number of GPUs")
    check = GpuCheck(int(text or 0))
    return replace(check, timeout_s=options.get("timeout", check.timeout_s))


def _disk(text: str, options: Options) -> Check:
    if not text:
        raise ConfigError("a check of a disk needs a folder: disk:/ckpt")
    check = DiskCheck(Path(text))
    return replace(
        check,
        free_gib=options.get("free_gib", check.free_gib),
        size_mib=max(1, int(options.get("size_mib", check.size_mib))),
        write_mib_s=options.get("write_mib_s", check.write_mib_s),
        read_mib_s=options.get("read_mib_s", check.read_mib_s),
        timeout_s=options.get("timeout", check.timeout_s),
    )


def _network(text: str, options: Options, network: NetworkCheck) -> Check:
    named = addresses(text.split("+")) if text else []
    if text and len(named) != len(text.split("+")):
        raise ConfigError(f"network:{text}: addresses are host:port, with + in between")
    peers = named or network.peers
    return replace(network, peers=peers, timeout_s=options.get("timeout", network.timeout_s))


def _command(text: str, options: Options) -> Check:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"command:{text}: {error}") from None
    if not words:
        raise ConfigError("a check by a command needs one: command:/opt/check.sh")
    check = CommandCheck(words)
    return replace(check, timeout_s=options.get("timeout", check.timeout_s))
