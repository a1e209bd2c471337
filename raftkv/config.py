"""What an operator may set, checked when it is made. Names and defaults are etcd's (server/embed/config.go).

Each field is a flag of `raftkv serve`, a variable RAFTKV_<FIELD>, and a key of the TOML file.
"""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from raftkv.errors import ConfigError
from raftkv.tls.settings import TLSSettings

MAX_ELECTION_TIMEOUT_MS = 50_000
MIN_ELECTION_TICKS = 5
MIN_PROGRESS_INTERVAL_S = 0.1
MIN_BCRYPT_COST, MAX_BCRYPT_COST = 4, 31
MILLION = 1_000_000
DEFAULT_COLLECTOR = "localhost:4317"
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


def parse_words(text: str) -> tuple[str, ...]:
    """A comma-separated list, which may be empty."""
    return tuple(word for item in text.split(",") if (word := item.strip()))


def _option(default: Any, description: str, *aliases: str) -> Any:
    """A setting with what `raftkv serve --help` says about it; `aliases`: the names that etcd gives its flag."""
    return field(default=default, metadata={"help": description, "aliases": aliases})


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
    force_new_cluster: bool = _option(
        False, "After the loss of a quorum for good: go on as the only member, with the data that this node has."
    )
    strict_reconfig_check: bool = _option(True, "Refuse changes of the members that would cost the cluster its quorum.")
    max_learners: int = _option(1, "Members without a vote that there may be at the same time.")
    experimental_initial_corrupt_check: bool = _option(
        True, "Compare the data with that of the other members at the start, and do not go on if it differs."
    )
    corrupt_check_time: str = _option("1h", "How often the leader compares the members' data; 0s is never.")
    compact_hash_check_enabled: bool = _option(True, "Compare the members' data after each compaction, too.")
    compact_hash_check_time: str = _option("1m", "How often the leader looks whether there was a compaction.")
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
    cert_file: Path | None = _option(None, "Certificate chain shown to clients, PEM; with it https:// URLs can be served.")
    key_file: Path | None = _option(None, "Private key of --cert-file, PEM.")
    trusted_ca_file: Path | None = _option(None, "CA bundle; clients must show a certificate that it vouches for.")
    client_cert_auth: bool = _option(
        False, "Clients must show a certificate of --trusted-ca-file; its common name is their user name."
    )
    client_cert_allowed_hostname: str = _option("", "Host names, for one of which a client's certificate must be valid.")
    client_crl_file: Path | None = _option(None, "Revoked certificates: a list of each authority in --trusted-ca-file, PEM.")
    auto_tls: bool = _option(False, "Serve clients with a certificate of the node's own making, which proves nothing.")
    peer_cert_file: Path | None = _option(None, "Certificate chain shown to other members, PEM.")
    peer_key_file: Path | None = _option(None, "Private key of --peer-cert-file, PEM.")
    peer_trusted_ca_file: Path | None = _option(
        None, "CA bundle; members must show a certificate that it vouches for, both ways."
    )
    peer_client_cert_auth: bool = _option(False, "Members must show a certificate of --peer-trusted-ca-file.")
    peer_cert_allowed_cn: str = _option("", "Common names, one of which a member's certificate must have.")
    peer_cert_allowed_hostname: str = _option("", "Host names, for one of which a member's certificate must be valid.")
    peer_crl_file: Path | None = _option(None, "Revoked certificates: a list of each authority in --peer-trusted-ca-file, PEM.")
    peer_auto_tls: bool = _option(False, "Encrypt between members with certificates of their own making, which prove nothing.")
    self_signed_cert_validity: int = _option(1, "Years for which certificates of the node's own making are valid.")
    tls_min_version: str = _option("TLS1.2", "Oldest version of TLS that is spoken: TLS1.2 or TLS1.3.")
    tls_max_version: str = _option("", "Newest version of TLS that is spoken. Default: the newest there is.")
    cipher_suites: str = _option("", "Comma-separated cipher suites of TLS 1.2, by IANA's names. Default: all good ones.")
    max_connections: int = _option(10_000, "Most connections of clients; further ones are closed.")
    max_concurrent_streams: int = _option(10_000, "Most calls in progress on one connection.")
    max_concurrent_calls: int = _option(
        100_000, "Most calls in progress on all connections, streams among them; further ones hear 'too many requests'."
    )
    grpc_keepalive_min_time: str = _option("5s", "A client that pings more often is sent away.")
    grpc_keepalive_interval: str = _option("2h", "A client silent for so long is asked whether it still lives.")
    grpc_keepalive_timeout: str = _option("20s", "A client that does not answer that in time is closed.")
    auth_token: str = _option(
        "simple", "`simple`, or `jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m`: what a client gets for its password."
    )
    auth_token_ttl: int = _option(300, "Seconds for which a simple token is good after its last use.")
    bcrypt_cost: int = _option(10, "How much work a password's hash is: each step doubles it.")
    watch_progress_notify_interval: str = _option(
        "10m", "Between two notifications of progress to watches that ask for them; at least 100ms."
    )
    log_level: str = _option("info", "debug, info, warn or error.")
    log_format: str = _option("console", "console or json.")
    log_outputs: str = _option(
        "stderr", "Where log lines go: comma-separated stderr, stdout, and files, which are appended to."
    )
    warning_apply_duration: str = _option(
        "100ms",
        "An entry of the log that takes longer to apply is counted, and told in the log.",
        "experimental-warning-apply-duration",
    )
    warning_unary_request_duration: str = _option(
        "300ms",
        "A request that takes longer is told in the log, with its stages.",
        "experimental-warning-unary-request-duration",
    )
    tracing_endpoint: str = _option(
        "",
        "OTLP port of a collector that is sent traces, as host:4317 or https://host:4317; needs raftkv[tracing].",
        "distributed-tracing-address",
        "experimental-distributed-tracing-address",
    )
    tracing_sample_ratio: float = _option(
        0.0, "Part of the requests, from 0 to 1, that is traced where callers do not say; those that do decide themselves."
    )
    tracing_service_name: str = _option(
        "raftkv",
        "The service that spans say they are of.",
        "distributed-tracing-service-name",
        "experimental-distributed-tracing-service-name",
    )
    enable_distributed_tracing: bool = _option(
        False,
        "As etcd's: trace, to localhost:4317 where no --tracing-endpoint is given.",
        "experimental-enable-distributed-tracing",
    )
    distributed_tracing_sampling_rate: int = _option(
        0, "As etcd's: --tracing-sample-ratio in millionths.", "experimental-distributed-tracing-sampling-rate"
    )

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "initial_cluster_state": ("new", "existing"),
        "auto_compaction_mode": ("periodic", "revision"),
        "log_level": ("debug", "info", "warn", "error"),
        "log_format": ("console", "json"),
    }

    POSITIVE: ClassVar[tuple[str, ...]] = (
        "snapshot_count",
        "snapshot_catchup_entries",
        "auth_token_ttl",
        "max_request_bytes",
        "max_txn_ops",
        "max_learners",
        "self_signed_cert_validity",
        "max_connections",
        "max_concurrent_streams",
        "max_concurrent_calls",
    )

    def __post_init__(self) -> None:
        """Refuses what cannot work, naming the flag."""
        for option, choices in self.CHOICES.items():
            if getattr(self, option) not in choices:
                raise ConfigError(f"--{_flag(option)}: {getattr(self, option)!r} is not one of {', '.join(choices)}")
        if not self.name or any(character in self.name for character in ",="):
            raise ConfigError(f"--name: {self.name!r} must be a word without ',' and '='")
        self._check_times()
        self._check_telemetry()
        self._check_limits()
        for setting in fields(self):
            if setting.name.endswith("_urls") and getattr(self, setting.name):
                parse_urls(getattr(self, setting.name), _flag(setting.name))
        self._check_cluster()
        self._check_tls()
        _ = self.compaction_retention

    def _check_telemetry(self) -> None:
        if not 0.0 <= self.tracing_sample_ratio <= 1.0:
            raise ConfigError(f"--tracing-sample-ratio: must be from 0 to 1, not {self.tracing_sample_ratio}")
        if not 0 <= self.distributed_tracing_sampling_rate <= MILLION:
            raise ConfigError(
                f"--distributed-tracing-sampling-rate: must be from 0 to {MILLION}, not {self.distributed_tracing_sampling_rate}"
            )
        for duration in ("warning_apply_duration", "warning_unary_request_duration"):
            if self.seconds(duration) <= 0:
                raise ConfigError(f"--{_flag(duration)}: must be positive, not {getattr(self, duration)}")

    def _check_times(self) -> None:
        flag = "watch-progress-notify-interval"
        if parse_duration(self.watch_progress_notify_interval, flag) < MIN_PROGRESS_INTERVAL_S:
            raise ConfigError(f"--{flag}: {self.watch_progress_notify_interval} is less than 100ms")
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
        for limit in self.POSITIVE:
            if getattr(self, limit) <= 0:
                raise ConfigError(f"--{_flag(limit)}: must be positive, not {getattr(self, limit)}")
        for pause in ("corrupt_check_time", "compact_hash_check_time"):
            _ = self.seconds(pause)
        for duration in ("grpc_keepalive_min_time", "grpc_keepalive_interval", "grpc_keepalive_timeout"):
            if self.seconds(duration) <= 0:
                raise ConfigError(f"--{_flag(duration)}: must be positive, not {getattr(self, duration)}")
        self._check_auth()

    def _check_auth(self) -> None:
        kind, comma, _ = self.auth_token.partition(",")
        if (kind, comma) not in {("simple", ""), ("jwt", ",")}:
            raise ConfigError(f"--auth-token: {self.auth_token!r} is neither 'simple' nor 'jwt,...'")
        if not MIN_BCRYPT_COST <= self.bcrypt_cost <= MAX_BCRYPT_COST:
            raise ConfigError(f"--bcrypt-cost: must be from {MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}, not {self.bcrypt_cost}")

    def _check_tls(self) -> None:
        for kind, settings in (("client", self.client_tls), ("peer", self.peer_tls)):
            if settings is None and any(url.scheme == "https" for url in self._listen_urls(kind)):
                prefix = "peer-" if kind == "peer" else ""
                raise ConfigError(
                    f"--listen-{kind}-urls: https:// needs --{prefix}cert-file and --{prefix}key-file, or --{prefix}auto-tls"
                )
        if self.peer_tls is None:
            for url in (url for urls in self.members.values() for url in urls if url.startswith("https://")):
                raise ConfigError(f"--initial-cluster: {url} needs --peer-cert-file and --peer-key-file, or --peer-auto-tls")

    def _listen_urls(self, kind: str) -> tuple[Url, ...]:
        return parse_urls(getattr(self, f"listen_{kind}_urls"), f"listen-{kind}-urls")

    def seconds(self, setting: str) -> float:
        """A duration setting."""
        return parse_duration(getattr(self, setting), _flag(setting))

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
    def client_tls(self) -> TLSSettings | None:
        """How clients are spoken to at https:// URLs; None: there is nothing to do it with."""
        return self._tls("", self.auto_tls, hosts=self.client_cert_allowed_hostname, crl_file=self.client_crl_file)

    @property
    def peer_tls(self) -> TLSSettings | None:
        """As `client_tls`, between members, in both directions."""
        return self._tls(
            "peer-",
            self.peer_auto_tls,
            names=self.peer_cert_allowed_cn,
            hosts=self.peer_cert_allowed_hostname,
            crl_file=self.peer_crl_file,
        )

    def _tls(self, flags: str, auto: bool, *, names: str = "", hosts: str, crl_file: Path | None) -> TLSSettings | None:  # noqa: FBT001 (it is what two flags say)
        cert_file, key_file, ca_file, cert_auth = (
            getattr(self, _setting(flags + name)) for name in ("cert-file", "key-file", "trusted-ca-file", "client-cert-auth")
        )
        if (cert_file is None) != (key_file is None):
            raise ConfigError(f"--{flags}cert-file and --{flags}key-file must be given together")
        self_signed = cert_file is None
        if self_signed and not auto:
            return None
        folder = self.directory / "auto-tls"
        name = "peer" if flags else "client"
        return TLSSettings(
            cert_file=cert_file or folder / f"{name}.pem",
            key_file=key_file or folder / f"{name}.key.pem",
            trusted_ca_file=ca_file,
            crl_file=crl_file,
            client_cert_auth=cert_auth,
            allowed_names=parse_words(names),
            allowed_hosts=parse_words(hosts),
            self_signed=self_signed,
            min_version=self.tls_min_version,
            max_version=self.tls_max_version,
            ciphers=parse_words(self.cipher_suites),
            flags=flags,
        )

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """The first members: name -> peer URLs."""
        if self.initial_cluster:
            return parse_cluster(self.initial_cluster)
        return {self.name: tuple(str(url) for url in self.peer_urls)}

    @property
    def collector(self) -> str:
        """Where traces go; nothing: nowhere."""
        return self.tracing_endpoint or (DEFAULT_COLLECTOR if self.enable_distributed_tracing else "")

    @property
    def sample_ratio(self) -> float:
        """The part of the requests that is traced of its own accord."""
        return max(self.tracing_sample_ratio, self.distributed_tracing_sampling_rate / MILLION)

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


def _setting(flag: str) -> str:
    return flag.replace("-", "_")
