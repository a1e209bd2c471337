"""How a process learns which job it is of: from its environment, which all launchers can set.

    RAFTKV_ENDPOINTS           host:port,...  where the cluster answers; must be there
    RAFTKV_JOB                 name           must be there
    RAFTKV_MIN_NODES           number         processes that a round needs; must be there
    RAFTKV_MAX_NODES           number         that it may have; as RAFTKV_MIN_NODES
    RAFTKV_NODE                name           this process, the same in its next life: its id follows it; host and process number
    RAFTKV_LOCAL_ADDRESS       host           where the others reach this one; the address from which it reaches the cluster
    RAFTKV_LOCAL_PROCESS_ID    number         of this process on its host, where each is to see one device only; all see all
    RAFTKV_SEGMENTS            a/b/c          where it stands, from the largest to the smallest: rack, switch; nowhere
    RAFTKV_LAST_CALL_TIMEOUT   seconds        for which a round that could form waits for more; 30
    RAFTKV_TTL                 seconds        for which a process may be silent before it counts as dead; 10
    RAFTKV_USER, RAFTKV_PASSWORD, RAFTKV_CACERT, RAFTKV_CERT, RAFTKV_KEY   as for the command line

A node of the job is a process of JAX.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from raftkv.client import TLSConfig
from raftkv.errors import ConfigError
from raftkv.pb.rendezvous import JobSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What the environment says."""

    endpoints: str
    job: str
    settings: JobSettings
    """The same for all processes of the job."""
    node: str
    local_address: str
    local_process_id: int | None = None
    segments: tuple[str, ...] = ()
    ttl: int = 10
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: TLSConfig | None = None


def is_set(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a job."""
    return bool(environment.get("RAFTKV_JOB") and environment.get("RAFTKV_ENDPOINTS"))


def from_environment(environment: Mapping[str, str] = os.environ) -> ProcessSettings:
    """What the environment says.

    Raises:
        ConfigError: it lacks something, or says what cannot be.
    """
    endpoints = _text(environment, "ENDPOINTS")
    low = _number(environment, "MIN_NODES")
    high = _number(environment, "MAX_NODES", low)
    if high < low:
        raise ConfigError(f"RAFTKV_MAX_NODES={high} is less than RAFTKV_MIN_NODES={low}")
    address = environment.get("RAFTKV_LOCAL_ADDRESS") or _address_towards(endpoints)
    local_process_id = _number(environment, "LOCAL_PROCESS_ID", -1, low=0)
    user, colon, password = environment.get("RAFTKV_USER", "").partition(":")
    return ProcessSettings(
        endpoints=endpoints,
        job=_text(environment, "JOB"),
        settings=JobSettings(
            min_nodes=low, max_nodes=high, last_call_ms=1000 * _number(environment, "LAST_CALL_TIMEOUT", 30, low=0)
        ),
        node=environment.get("RAFTKV_NODE") or f"{socket.gethostname()}-{os.getpid()}",
        local_address=address,
        local_process_id=None if local_process_id < 0 else local_process_id,
        segments=tuple(segment for segment in environment.get("RAFTKV_SEGMENTS", "").split("/") if segment),
        ttl=_number(environment, "TTL", 10, low=2),
        user=user or None,
        password=password if colon else environment.get("RAFTKV_PASSWORD", ""),
        tls=_tls(environment),
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(f"RAFTKV_{name}")
    if not value:
        raise ConfigError(f"RAFTKV_{name} is not set")
    return value


def _number(environment: Mapping[str, str], name: str, default: int | None = None, *, low: int = 1) -> int:
    text = environment.get(f"RAFTKV_{name}")
    if not text and default is not None:
        return default
    text = _text(environment, name)
    if not (text.isascii() and text.isdigit()) or int(text) < low:
        raise ConfigError(f"RAFTKV_{name}={text}: it is a whole number from {low} on")
    return int(text)


def _tls(environment: Mapping[str, str]) -> TLSConfig | None:
    authority, certificate, key = (environment.get(f"RAFTKV_{name}") or None for name in ("CACERT", "CERT", "KEY"))
    if not (authority or certificate or key):
        return None
    return TLSConfig(ca_file=authority, cert_file=certificate, key_file=key)


def _address_towards(endpoints: str) -> str:
    """The address from which this host reaches the first endpoint that it can find; nothing is sent."""
    for endpoint in endpoints.split(","):
        host, _, port = endpoint.strip().rpartition("://")[2].rpartition(":")
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as towards:
                towards.connect(address)
                return str(towards.getsockname()[0])
        except (OSError, ValueError):
            continue
    raise ConfigError(f"RAFTKV_LOCAL_ADDRESS is not set, and no host of RAFTKV_ENDPOINTS={endpoints} is known here")
