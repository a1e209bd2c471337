"""`raftkv job check`: whether this machine is fit to train."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from google.protobuf.message import Message

from raftkv.errors import NodeUnfitError
from raftkv.pb import rendezvous as pb
from raftkv.preflight import Finding, failures, parse_checks
from raftkv_cli.command import Command
from raftkv_cli.formats.answers import Field, Style, Tabular
from raftkv_cli.formats.columns import columns
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client

MAX_REASON = 1000
NO_JOB = "-"
"""Whose nodes are looked for where no job is named: no job has this name."""


@dataclass(frozen=True, slots=True)
class Findings(Tabular):
    """What the checks found."""

    findings: Sequence[Finding]
    message: Message = field(default_factory=pb.ListResponse)
    """Nothing: the cluster has not answered this."""

    def table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [finding.check, "pass" if finding.passed else "FAIL", f"{finding.seconds:.1f}s", finding.text]
            for finding in self.findings
        ]
        return ["CHECK", "RESULT", "TOOK", "FOUND"], rows

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        yield from columns([names, *rows])
        for finding in self.findings:
            if finding.output and not finding.passed:
                yield b""
                yield f"{finding.check} said:".encode()
                yield finding.output.encode()

    def fields(self) -> Iterator[Field]:
        for finding in self.findings:
            yield from (("Check", finding.check), ("Passed", finding.passed), ("Found", finding.text))

    def value(self) -> object:
        return [
            {
                "check": each.check,
                "passed": each.passed,
                "seconds": round(each.seconds, 3),
                "found": each.text,
                "output": each.output,
            }
            for each in self.findings
        ]


@click.command(
    "check",
    cls=Command,
    tabular=True,
    examples="""
    raftkv job check --check gpu:8 --check 'disk:/ckpt?free_gib=500&write_mib_s=200' --check network
    raftkv job check mnist --node node-7 --check 'command:/opt/check.sh --quick' --cool-down 1h
    """,
)
@click.argument("name", metavar="[JOB]", required=False)
@click.option(
    "--check", "checks", multiple=True, help="gpu[:COUNT], disk:FOLDER, network or command:WORDS; else gpu and network."
)
@click.option("--node", default="", help="Which node of the job this machine is: where it does not pass, it is excluded.")
@click.option("--cool-down", type=DURATION, default="10m", show_default=True, help="For how long; 0s: until it is readmitted.")
@with_session
def check(session: Session, /, *, name: str | None, checks: Sequence[str], node: str, cool_down: float) -> None:
    """Look whether this machine is fit to train. Fails, with exit status 1, where it is not."""
    if node and not name:
        raise click.UsageError("--node belongs to a job: name it")
    spec = ";".join(checks) or "gpu;network"
    parse_checks(spec)

    async def ask(client: "Client") -> list[Finding]:
        return await client.rendezvous(name or NO_JOB).check(spec, node=node)

    findings = session.call(ask)
    session.show(Findings(findings))
    if problems := failures(findings):
        if name and node:
            reason = "; ".join(problems)[:MAX_REASON]
            session.call(lambda client: client.rendezvous(name).exclude(node, reason, cool_down=cool_down))
        raise NodeUnfitError(name or "any", node or "this machine", problems)
