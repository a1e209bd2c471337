"""The dashboard and the alerts ask only for what a node tells, and in a language that Prometheus understands."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.harness.raftkv import RaftkvCluster

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "raftkv.json").read_text())
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
NOT_OURS = {"up"}
DURATION = re.compile(r"(\d+(ms|s|m|h|d|w|y))+")
OF_PROMETHEUS = {"job", "instance"}


def expressions() -> Iterator[str]:
    for alert in ALERTS:
        yield alert["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$job", "raftkv-etcd")


def selectors(expression: str) -> Iterator[Any]:
    """Every selector in it, wherever it stands."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        for name in ("expr", "lhs", "rhs"):
            if (child := getattr(node, name, None)) is not None:
                visit(child)
        for argument in getattr(node, "args", ()):
            visit(argument)

    visit(promql_parser.parse(expression))
    return iter(found)


def scraped(page: bytes) -> dict[str, set[str]]:
    """The labels of each name that a page tells."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def test_every_metric_and_label_that_is_asked_for_is_there(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    cluster.leader().caller.ask(rpc.PutRequest(key=b"k"))
    tell: dict[str, set[str]] = {}
    for node in cluster.nodes:
        with urllib.request.urlopen(f"{node.client_url}/metrics", timeout=10) as answer:
            for name, labels in scraped(answer.read()).items():
                tell.setdefault(name, set()).update(labels)
    # What there is only with certificates, quotas, or a training job; tests/metrics and tests/quotas have them.
    tell["raftkv_certificate_expiry_timestamp_seconds"] = {"use"}
    tell |= {name: {"training_job"} for name in ("raftkv_job_world_size", "raftkv_job_straggling_nodes")}
    tell["raftkv_quota_refused_total"] = {"prefix", "role"}
    tell |= {name: {"training_job"} for name in ("raftkv_job_step", "raftkv_job_restarts")}
    asked = [selector for expression in expressions() for selector in selectors(expression)]
    assert len(asked) > 50
    for selector in asked:
        if selector.name not in NOT_OURS:
            assert selector.name in tell
            used = {matcher.name for matcher in selector.matchers.matchers} - OF_PROMETHEUS
            assert used <= tell[selector.name], selector.name


def test_expressions_parse() -> None:
    for expression in expressions():
        promql_parser.parse(expression)


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_an_alert_has_what_promtool_wants(alert: dict[str, Any]) -> None:
    assert set(alert) <= {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z][A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert DURATION.fullmatch(alert.get("for", "1m"))
    assert {"summary", "description"} == set(alert["annotations"])
    for text in alert["annotations"].values():
        assert text.count("{{") == text.count("}}") == len(re.findall(r"\{\{ *\$(?:value|labels\.\w+) *\}\}", text))


def test_names_are_unique() -> None:
    names = [alert["alert"] for alert in ALERTS]
    assert len(names) == len(set(names))
    assert set(RULES) == {"groups"}
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identifiers) == len(set(identifiers))


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
