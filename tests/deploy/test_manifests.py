"""What deploy/ starts is what `raftkv serve` takes; and what Kubernetes is told is what its schemas allow."""

import configparser
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from raftkv.config import ServerConfig
from raftkv_cli.root import raftkv

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES = ("1.29", "1.34")
"""The oldest and the newest version whose schemas are asked."""
SCRIPTS = [DEPLOY / "backup" / "raftkv-backup", DEPLOY / "rolling" / "rolling-restart", DEPLOY / "slurm" / "training.sbatch"]


def documents(*files: Path) -> list[dict[str, Any]]:
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


def settings_of(arguments: list[str], **environment: str) -> ServerConfig:
    """What `raftkv serve` would make of a command line; it says what is wrong with it."""
    command = raftkv.get_command(raftkv.make_context("raftkv", ["serve"], resilient_parsing=True), "serve")
    assert command is not None
    context = command.make_context("serve", [*arguments, *(f"--{name}={value}" for name, value in environment.items())])
    return ServerConfig(**context.params)


def named(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in documents(*MANIFESTS) if one["kind"] == kind and one["metadata"]["name"] == name)


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_keep_to_the_schemas(version: str) -> None:
    kinds = [kubernetes_validate.validate(one, version, strict=True) and one["kind"] for one in documents(*MANIFESTS)]
    assert len(kinds) >= 6


def test_the_stateful_set_and_its_services_belong_together() -> None:
    stateful, headless = named("StatefulSet", "raftkv")["spec"], named("Service", "raftkv-peers")["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    budget = named("PodDisruptionBudget", "raftkv")["spec"]
    assert stateful["serviceName"] == "raftkv-peers"
    assert headless["clusterIP"] == "None"
    assert headless["publishNotReadyAddresses"] is True
    assert labels == headless["selector"] == budget["selector"]["matchLabels"] == stateful["selector"]["matchLabels"]
    assert budget["maxUnavailable"] == 1


def test_every_pod_starts_as_a_member() -> None:
    stateful = named("StatefulSet", "raftkv")["spec"]
    (container,) = stateful["template"]["spec"]["containers"]
    for ordinal in range(stateful["replicas"]):
        program, serve, *arguments = [argument.replace("$(POD)", f"raftkv-{ordinal}") for argument in container["command"]]
        config = settings_of(arguments)
        assert (program, serve, config.name) == ("raftkv", "serve", f"raftkv-{ordinal}")
        assert len(config.members) == stateful["replicas"]
        assert str(config.data_dir).startswith(container["volumeMounts"][0]["mountPath"])
    assert stateful["template"]["spec"]["enableServiceLinks"] is False


def test_probes_ask_for_pages_that_there_are() -> None:
    (container,) = named("StatefulSet", "raftkv")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert [probe["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
    assert {ports[probe["port"]] for probe in probes.values()} == {2379}


def test_compose_starts_three_members() -> None:
    composed = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    for name, service in composed["services"].items():
        variables = {
            key.removeprefix("RAFTKV_").lower().replace("_", "-"): value for key, value in service["environment"].items()
        }
        config = settings_of(service["command"][1:], **variables)
        assert config.name == name == service["hostname"]
        assert service["volumes"] == [f"{name}:{config.data_dir}"]
    assert set(composed["volumes"]) == set(composed["services"])


def test_the_image_starts_what_there_is() -> None:
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)
    (command,) = re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)
    (copied,) = re.findall(r"^COPY (deploy/\S+)", dockerfile, re.MULTILINE)
    assert yaml.safe_load(entry) == ["raftkv"]
    assert settings_of(yaml.safe_load(command)[1:]).data_dir == Path("/var/lib/raftkv")
    assert (DEPLOY.parent / copied).exists()


def test_units_start_what_there_is() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of units have capitals
    unit.read(DEPLOY / "systemd" / "raftkv.service")
    program, serve, option, file = shlex.split(unit["Service"]["ExecStart"])
    assert (Path(program).name, serve, option) == ("raftkv", "serve", "--config-file")
    settings = tomllib.loads((DEPLOY / "systemd" / Path(file).name).read_text())
    config = settings_of([f"--{name}={value}" for name, value in settings.items()])
    assert config.data_dir == Path("/var/lib") / unit["Service"]["StateDirectory"]
    unit.read(DEPLOY / "systemd" / "raftkv-backup.service")
    assert Path(shlex.split(unit["Service"]["ExecStart"])[0]).name == "raftkv-backup"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_scripts(script: Path) -> None:
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
