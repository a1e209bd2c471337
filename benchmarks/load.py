"""etcdload, the load generator: etcd's own Go client, so that neither target is driven by its maker's Python."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "etcdload"
LIBRARY = Path("/usr/share/gocode/src/go.etcd.io/etcd/clientv3")
PACKAGES = "apt-get install golang-go golang-etcd-server-dev"
GRACE_S = 60.0


class ToolMissingError(Exception):
    """The load generator cannot be built here; the message says what to install."""


class LoadFailedError(Exception):
    """A workload gave no figures."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients of one workload saw."""

    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p99_ms: float


def build(output: Path) -> "Load":
    """Compiles etcdload (a second or two; Go caches the library)."""
    if shutil.which("go") is None or not LIBRARY.exists():
        raise ToolMissingError(f"the load generator needs Go and etcd's client library: {PACKAGES}")
    done = subprocess.run([str(FOLDER / "build.sh"), str(output)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolMissingError(f"the load generator does not compile: {done.stderr.strip()}")
    return Load(output)


@dataclass(frozen=True, slots=True)
class Load:
    """A compiled etcdload."""

    program: Path

    def run(
        self, operation: str, endpoints: Sequence[str], *, clients: int, seconds: float, options: Sequence[str] = ()
    ) -> Seen:
        """One workload, from start to end."""
        command = [
            str(self.program),
            f"-endpoints={','.join(endpoints)}",
            f"-op={operation}",
            f"-clients={clients}",
            f"-dur={seconds}s",
            *options,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + GRACE_S, check=False)
        except subprocess.TimeoutExpired:
            raise LoadFailedError(f"{operation} did not end {GRACE_S:.0f} s after its time") from None
        if done.returncode:
            raise LoadFailedError(f"{operation} with {clients} clients: {(done.stdout + done.stderr).strip()[-300:]}")
        return parse(done.stdout)


def parse(line: str) -> Seen:
    """The JSON line that etcdload prints."""
    fields = json.loads(line)
    return Seen(
        requests=fields["count"],
        errors=fields["errors"],
        per_second=fields.get("keys_per_second", fields["per_second"]),
        p50_ms=fields["p50_ms"],
        p99_ms=fields["p99_ms"],
    )
