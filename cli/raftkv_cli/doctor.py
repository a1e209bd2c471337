"""`raftkv doctor`: one look at everything, and what to do about what is wrong."""

import asyncio
import json

import click

from raftkv_cli.command import Command
from raftkv_cli.inspection import cluster_checks, member_checks
from raftkv_cli.inspection.facts import ClusterFacts
from raftkv_cli.inspection.finding import Finding, Severity
from raftkv_cli.inspection.gather import gather
from raftkv_cli.session import Session, with_session

COLOURS = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@click.command(
    "doctor",
    cls=Command,
    examples="""
    raftkv doctor
    raftkv --endpoints 10.0.0.1:2379 doctor -w json
    """,
)
@click.option("--hashes/--no-hashes", default=True, help="Whether to compare the members' data, which costs them some work.")
@with_session
def doctor(session: Session, /, *, hashes: bool) -> None:
    """Look for what is wrong with the cluster, and say what to do about it.

    It asks every member, and changes nothing. The exit code is 0 where nothing was found but notes, and 1 otherwise.
    """
    if session.settings.write_out not in {"simple", "json"}:
        raise click.UsageError("doctor prints simple or json")
    session.client()  # options that cannot be are the command's error, not one for each endpoint
    cluster = asyncio.run(gather(session, hashes=hashes))
    findings = diagnose(cluster)
    if session.settings.write_out == "json":
        click.echo(json.dumps([_row(finding) for finding in findings]))
    else:
        _print(cluster, findings)
    if any(finding.severity != Severity.NOTE for finding in findings):
        raise click.exceptions.Exit(1)


def diagnose(cluster: ClusterFacts) -> list[Finding]:
    """Everything that is to be said about a cluster, the worst first."""
    found = [finding for check in (*cluster_checks.CHECKS, *member_checks.CHECKS) for finding in check(cluster)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _row(finding: Finding) -> dict[str, str]:
    return {
        "severity": finding.severity.value,
        "check": finding.check,
        "subject": finding.subject,
        "problem": finding.problem,
        "advice": finding.advice,
    }


def _print(cluster: ClusterFacts, findings: list[Finding]) -> None:
    for finding in findings:
        severity = click.style(finding.severity.value.upper(), fg=COLOURS[finding.severity], bold=True)
        click.echo(f"{severity} {finding.check}: {finding.subject}: {finding.problem}\n    {finding.advice}")
    asked = f"{len(cluster.answering)} of {len(cluster.members)} members answered"
    checks = len(cluster_checks.CHECKS) + len(member_checks.CHECKS)
    click.echo(f"{asked}; {checks} groups of checks; " + (f"{len(findings)} findings" if findings else "nothing found"))
