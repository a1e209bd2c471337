"""What an operator may set, checked when it is made. Names and defaults are etcd's (server/embed/config.go).

Each field is a flag of `raftkv serve`, a variable RAFTKV_<FIELD>, and a key of the TOML file.
"""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from raftkv.errors import ConfigError

MAX_ELECTION_TIMEOUT_MS = 50_000
MIN_ELECTION_TICKS = 5
DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Url(NamedTuple):
    """Where something listens: scheme http or https, host as the socket takes it, port."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """`host:port`, with brackets round IPv6."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


def parse_url(text: str, flag: str) -> Url:
    """One URL of a flag.

    Raises:
        ConfigError: it is no http or https URL with host and port.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"--{flag}: {text!r} is not a URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise ConfigError(f"--{flag}: {text!r} must look like http://host:port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ConfigError(f"--{flag}: {text!r} must not have more than scheme, host and port")
    return Url(parts.scheme, parts.hostname, port)


def parse_urls(text: str, flag: str) -> tuple[Url, ...]:
    """A comma-separated list of at least one URL."""
    urls = tuple(parse_url(item, flag) for item in text.split(",") if item.strip())
    if not urls:
        raise ConfigError(f"--{flag}: at least one URL is needed")
    return urls


def parse_duration(text: str, flag: str) -> float:
    """`1h30m`, `500ms`, `10s` as seconds, as Go writes durations."""
    position, seconds = 0, 0.0
    for match in _DURATION.finditer(text):
        if match.start() != position:
            break
        seconds += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if not text or position != len(text):
        raise ConfigError(f"--{flag}: {text!r} is not a duration such as 500ms, 10s or 1h30m")
    return seconds


def parse_cluster(text: str, flag: str = "initial-cluster") -> dict[str, tuple[str, ...]]:
    """`a=http://h1:2380,b=http://h2:2380` -> name -> its peer URLs, in the order given. A name may come more than once."""
    members: dict[str, tuple[str, ...]] = {}
    for item in text.split(","):
        name, equals, url = item.strip().partition("=")
        if not equals or not name:
            raise ConfigError(f"--{flag}: {item!r} must look like name=http://host:port")
        members[name] = (*members.get(name, ()), str(parse_url(url, flag)))
    seen: set[str] = set()
    for url in (url for urls in members.values() for url in urls):
        if url in seen:
            raise ConfigError(f"--{flag}: {url} is given twice")
        seen.add(url)
    return members


def _option(default: Any, description: str) -> Any:
    """A setting with what `raftkv serve --help` says about it."""
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One node's settings."""

    name: str = _option("default", "Human-readable name of this member, unique in the cluster.")
    data_dir: Path | None = _option(None, "Where the data lies. Default: <name>.raftkv in the working directory.")
    listen_client_urls: str = _option("http://127.0.0.1:2379", "Comma-separated URLs on which clients are served.")
    advertise_client_urls: str = _option("", "Comma-separated URLs that clients are told to use. Default: the listen URLs.")
    listen_peer_urls: str = _option("http://127.0.0.1:2380", "Comma-separated URLs on which other members are heard.")
    initial_advertise_peer_urls: str = _option(
        "", "Comma-separated URLs at which the other members reach this one. Default: the listen URLs."
    )
    initial_cluster: str = _option("", "The first members, as name=peer-url,... Default: this node alone.")
    initial_cluster_state: str = _option("new", "`new` to form a cluster, `existing` to join one.")
    initial_cluster_token: str = _option(
        "etcd-cluster", "Clusters with different tokens do not mix, even at the same addresses."
    )
    heartbeat_interval: int = _option(100, "Milliseconds between heartbeats of the leader.")
    election_timeout: int = _option(1000, "Milliseconds without a leader after which a follower stands for election.")
    snapshot_count: int = _option(10_000, "Applied entries after which the log is shortened.")
    snapshot_catchup_entries: int = _option(
        5_000, "Applied entries that stay in the log for followers that are a little behind."
    )
    quota_backend_bytes: int = _option(
        DEFAULT_QUOTA_BYTES, "Size of the stored versions above which writes are refused; 0 means the default, negative none."
    )
    max_request_bytes: int = _option(1536 * 1024, "Largest request of a client, in bytes.")
    max_txn_ops: int = _option(128, "Most operations in one transaction.")
    auto_compaction_mode: str = _option("periodic", "`periodic` or `revision`.")
    auto_compaction_retention: str = _option(
        "0", "What is kept: a duration (a bare number is hours) for `periodic`, a number of revisions for `revision`; 0 is off."
    )
    log_level: str = _option("info", "debug, info, warn or error.")
    log_format: str = _option("console", "console or json.")

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "initial_cluster_state": ("new", "existing"),
        "auto_compaction_mode": ("periodic", "revision"),
        "log_level": ("debug", "info", "warn", "error"),
        "log_format": ("console", "json"),
    }

    def __post_init__(self) -> None:
        """Refuses what cannot work, naming the flag."""
        for option, choices in self.CHOICES.items():
            if getattr(self, option) not in choices:
                raise ConfigError(f"--{_flag(option)}: {getattr(self, option)!r} is not one of {', '.join(choices)}")
        if not self.name or any(character in self.name for character in ",="):
            raise ConfigError(f"--name: {self.name!r} must be a word without ',' and '='")
        self._check_times()
        self._check_limits()
        for setting in fields(self):
            if setting.name.endswith("_urls") and getattr(self, setting.name):
                parse_urls(getattr(self, setting.name), _flag(setting.name))
        self._check_cluster()
        _ = self.compaction_retention

    def _check_times(self) -> None:
        if self.heartbeat_interval <= 0:
            raise ConfigError(f"--heartbeat-interval: must be positive, not {self.heartbeat_interval}")
        if self.election_timeout < MIN_ELECTION_TICKS * self.heartbeat_interval:
            raise ConfigError(
                f"--election-timeout: {self.election_timeout} ms should be at least {MIN_ELECTION_TICKS} times "
                f"--heartbeat-interval ({self.heartbeat_interval} ms)"
            )
        if self.election_timeout > MAX_ELECTION_TIMEOUT_MS:
            raise ConfigError(
                f"--election-timeout: {self.election_timeout} ms is more than the {MAX_ELECTION_TIMEOUT_MS} ms allowed"
            )

    def _check_limits(self) -> None:
        for limit in ("snapshot_count", "snapshot_catchup_entries", "max_request_bytes", "max_txn_ops"):
            if getattr(self, limit) <= 0:
                raise ConfigError(f"--{_flag(limit)}: must be positive, not {getattr(self, limit)}")

    def _check_cluster(self) -> None:
        members = self.members
        if self.name not in members:
            raise ConfigError(f"--initial-cluster: does not name this node, {self.name!r}")
        mine = {str(url) for url in self.peer_urls}
        if set(members[self.name]) != mine:
            raise ConfigError(
                f"--initial-cluster: has {', '.join(members[self.name])} for {self.name!r}, but "
                f"--initial-advertise-peer-urls says {', '.join(sorted(mine))}"
            )

    @property
    def directory(self) -> Path:
        """The data directory."""
        return self.data_dir if self.data_dir is not None else Path(f"{self.name}.raftkv")

    @property
    def client_urls(self) -> tuple[Url, ...]:
        """What clients are told."""
        text, flag = self.advertise_client_urls, "advertise-client-urls"
        return parse_urls(text or self.listen_client_urls, flag if text else "listen-client-urls")

    @property
    def peer_urls(self) -> tuple[Url, ...]:
        """What the other members are told."""
        text, flag = self.initial_advertise_peer_urls, "initial-advertise-peer-urls"
        return parse_urls(text or self.listen_peer_urls, flag if text else "listen-peer-urls")

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """The first members: name -> peer URLs."""
        if self.initial_cluster:
            return parse_cluster(self.initial_cluster)
        return {self.name: tuple(str(url) for url in self.peer_urls)}

    @property
    def quota_bytes(self) -> int | None:
        """The quota, or None where there is none."""
        if self.quota_backend_bytes < 0:
            return None
        return self.quota_backend_bytes or DEFAULT_QUOTA_BYTES

    @property
    def compaction_retention(self) -> float:
        """Seconds (periodic) or revisions (revision) that automatic compaction keeps; 0 is off."""
        text = self.auto_compaction_retention
        if self.auto_compaction_mode == "revision" or text.isdigit():
            if not text.isdigit():
                raise ConfigError(f"--auto-compaction-retention: {text!r} is not a number of revisions")
            return float(text) if self.auto_compaction_mode == "revision" else float(text) * 3600.0
        return parse_duration(text, "auto-compaction-retention")


def _flag(name: str) -> str:
    return name.replace("_", "-")
