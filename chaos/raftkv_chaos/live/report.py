"""What a run leaves for readers: report.html, which needs nothing else, verdicts.json for programs, and lines for the terminal."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

from raftkv_chaos.live import charts
from raftkv_chaos.live.figures import Figures
from raftkv_chaos.live.run import Outcome
from raftkv_jepsen import page
from raftkv_jepsen.history import pair, read_events
from raftkv_jepsen.verdict import Validity, Verdict

SHOWN = 10
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --soft: #777; --line: #ddd; --fault: #f5a62333; --gap: #d62f2f44;
  --write: #1f6feb; --read: #2da44e; --bad: #d62f2f; --good: #2da44e; --odd: #b58105; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e6e6; --soft: #999; --line: #333; --fault: #f5a62340;
  --gap: #ff5c5c50; --write: #58a6ff; --read: #3fb950; --bad: #ff5c5c; --good: #3fb950; --odd: #d29922; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; }
.ok { color: var(--good); } .violation { color: var(--bad); } .unknown { color: var(--odd); } .soft { color: var(--soft); }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }
td.number { text-align: right; } svg { width: 100%; height: auto; } code { font-size: 13px; overflow-wrap: anywhere; }
"""


def write(outcome: Outcome) -> Path:
    """Writes everything into the run's folder, and answers where the report is."""
    folder = outcome.options.folder
    (folder / "verdicts.json").write_text(json.dumps(_facts(outcome), indent=2) + "\n", encoding="utf-8")
    (folder / "schedule.json").write_text(outcome.schedule.to_json() + "\n", encoding="utf-8")
    pictures = {}
    if outcome.figures is not None:
        pictures = {"latency": charts.latency(outcome.figures), "throughput": charts.throughput(outcome.figures)}
        for name, picture in pictures.items():
            (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    pages = dict(_pages(outcome, folder))
    report = folder / "report.html"
    report.write_text("\n".join(_page(outcome, pictures, pages)), encoding="utf-8")
    return report


def lines(outcome: Outcome) -> Iterator[str]:
    """The outcome for the terminal."""
    for name, verdict in outcome.verdicts.items():
        counts = ", ".join(f"{count} {what}" for what, count in verdict.counts.items())
        yield f"{name:<10} {verdict.validity:<10} {counts}"
        yield from (f"           {finding}" for finding in verdict.findings[:SHOWN])
    for what, reason in outcome.left_out.items():
        yield f"not done: {what}: {reason}"
    if outcome.figures is not None:
        yield from _told(outcome.figures)
    yield outcome.validity.value


def _told(figures: Figures) -> Iterator[str]:
    for title, writes in (("writes", True), ("reads", False)):
        p50, p99 = (figures.percentile_ms(share, writes=writes) for share in (0.5, 0.99))
        count = sum(point.writes is writes for point in figures.points)
        yield f"{count} {title}: median {p50:.1f} ms, 99 % {p99:.1f} ms"
    yield f"{len(figures.failed)} without an answer"
    yield "longest time without an acknowledged write:"
    yield from (f"  {gap.seconds:6.2f} s  {gap.name}" for gap in figures.gaps)


def _facts(outcome: Outcome) -> dict[str, object]:
    figures, options = outcome.figures, outcome.options
    return {
        "validity": outcome.validity,
        "target": options.target.name,
        "seed": options.seed,
        "seconds": options.seconds,
        "nodes": options.nodes,
        "network": "namespaces" if options.namespaces else "relays",
        "interrupted": outcome.interrupted,
        "longest_stall_s": round(outcome.longest_stall_s, 4),
        "not_done": outcome.left_out,
        "verdicts": {name: _verdict(verdict) for name, verdict in outcome.verdicts.items()},
        "gaps": []
        if figures is None
        else [{"fault": gap.name, "begin_s": gap.begin, "seconds": gap.seconds} for gap in figures.gaps],
        "latency_ms": {} if figures is None else {f"p{share}": figures.percentile_ms(share / 100) for share in (50, 90, 99)},
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    findings = [str(finding) for finding in verdict.findings]
    return {"validity": verdict.validity, "counts": verdict.counts, "rates": verdict.rates, "findings": findings}


def _pages(outcome: Outcome, folder: Path) -> Iterator[tuple[str, str]]:
    """A page of its own, with a time line, for each history that something is wrong with."""
    for name, verdict in outcome.verdicts.items():
        path = folder / "history" / f"{name}.jsonl"
        if verdict.validity is Validity.VIOLATION and path.exists():
            history = pair(read_events(path.read_text(encoding="utf-8")))
            (folder / f"{name}.html").write_text(page.render(name, history, verdict), encoding="utf-8")
            yield name, f"{name}.html"


def _page(outcome: Outcome, pictures: dict[str, str], pages: dict[str, str]) -> Iterator[str]:
    options, validity = outcome.options, outcome.validity
    title = f"{options.target.name}, seed {options.seed}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: {validity}</title><style>{STYLE}</style>'
    yield f'</head><body><h1>{title}: <span class="{validity}">{validity}</span></h1>'
    cut = " It was interrupted." if outcome.interrupted else ""
    network = "network namespaces" if options.namespaces else "relays"
    yield f"<p>{options.nodes} nodes behind {network}, {options.seconds:g} s of {', '.join(options.workloads)}, under "
    yield f"{', '.join(options.nemeses) or 'no faults'}.{cut} The driver itself stood still for at most {outcome.longest_stall_s:.2f} s.</p>"
    yield from _verdicts(outcome, pages)
    if outcome.figures is not None:
        yield from _numbers(outcome.figures)
    for name, picture in pictures.items():
        yield f'<h2>{name.capitalize()}</h2><p class="soft">Blue: writes; green: reads; red: no answer. Shaded: faults.</p>{picture}'
    yield from (f"<p class=soft>Not done: {escape(what)}: {escape(why)}</p>" for what, why in outcome.left_out.items())
    yield "</body></html>\n"


def _verdicts(outcome: Outcome, pages: dict[str, str]) -> Iterator[str]:
    yield "<h2>Verdicts</h2><table><tr><th>what</th><th>verdict</th><th>looked at</th></tr>"
    for name, verdict in outcome.verdicts.items():
        counts = ", ".join(f"{count} {what}" for what, count in verdict.counts.items())
        counts += "".join(f", {what}: {rate:.3g}" for what, rate in verdict.rates.items())
        shown = f'<a href="{pages[name]}">{name}</a>' if name in pages else name
        yield f'<tr><td>{shown}</td><td class="{verdict.validity}">{verdict.validity}</td><td>{escape(counts)}</td></tr>'
        for finding in verdict.findings[:SHOWN]:
            yield f'<tr><td></td><td colspan="2"><code>{escape(str(finding))}</code></td></tr>'
    yield "</table>"


def _numbers(figures: Figures) -> Iterator[str]:
    yield "<h2>Figures</h2><table><tr><th></th><th>answered</th><th>median</th><th>99 %</th></tr>"
    for title, writes in (("writes", True), ("reads", False)):
        p50, p99 = (figures.percentile_ms(share, writes=writes) for share in (0.5, 0.99))
        count = sum(point.writes is writes for point in figures.points)
        yield f'<tr><td>{title}</td><td class="number">{count}</td><td class="number">{p50:.1f} ms</td><td class="number">{p99:.1f} ms</td></tr>'
    yield f'<tr><td>no answer</td><td class="number">{len(figures.failed)}</td></tr></table>'
    yield "<h2>Longest time without an acknowledged write</h2><table>"
    for gap in figures.gaps:
        yield f'<tr><td>{escape(gap.name)}</td><td class="number">{gap.seconds:.2f} s</td></tr>'
    yield "</table>"
