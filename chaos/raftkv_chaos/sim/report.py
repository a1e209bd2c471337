"""The folder about a failing case: what it takes to see it again, and to see it."""

import json
from dataclasses import replace
from pathlib import Path

from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.run import Result
from raftkv_jepsen import page
from raftkv_jepsen.history import HistoryWriter, freeze, pair
from raftkv_jepsen.verdict import Finding, Validity, Verdict

CASE = "case.json"


def write_report(folder: Path, case: Case, result: Result) -> None:
    """`result` has its history and its log (`Case.run(keep=True)`).

    case.json       for `raftkv-chaos sim --case`
    verdict.json    what was found, with counts and figures
    faults.txt      the schedule, for reading
    history.jsonl   what clients asked and heard   (raftkv-jepsen check reads both)
    log.jsonl       what was committed
    report.html     the time line
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CASE).write_text(case.to_json() + "\n", encoding="utf-8")
    (folder / "verdict.json").write_text(json.dumps(_verdict(case, result, folder), indent=1) + "\n", encoding="utf-8")
    assert result.setup is not None, "a result has its setup"
    lines = [repr(result.setup.knobs), repr(result.setup.traffic)]
    lines += [fault.describe() for fault in result.setup.schedule.faults]
    (folder / "faults.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    history = folder / "history.jsonl"
    history.unlink(missing_ok=True)
    with HistoryWriter(history) as writer:
        for event in result.history:
            writer.write(event)
    log = "".join(json.dumps({"f": f, "value": value}) + "\n" for f, value in result.log)
    (folder / "log.jsonl").write_text(log, encoding="utf-8")
    (folder / "report.html").write_text(_page(case, result), encoding="utf-8")


def _verdict(case: Case, result: Result, folder: Path) -> dict[str, object]:
    return {
        "verdict": result.verdict,
        "found_by": result.found_by,
        "text": result.text,
        "at_s": result.at_s,
        "again": case.command(folder / CASE),
        "trace": result.trace,
        "counts": result.counts,
        "figures": result.figures,
        "struck": result.struck,
    }


def _page(case: Case, result: Result) -> str:
    history = pair(replace(event, value=freeze(event.value)) for event in result.history)
    verdict = Verdict(Validity.VIOLATION, [Finding(result.found_by, result.text)], dict(result.counts), dict(result.figures))
    return page.render(f"simulated seed {case.seed}", history, verdict)
