"""What came out of a campaign: a page to read, and a file of finds to replay."""

import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from raftkv_chaos.mutants.campaign import Find, Outcome
from raftkv_chaos.mutants.catalogue import GROUPS, IMPOSSIBLE
from raftkv_chaos.mutants.finders import FINDERS
from raftkv_chaos.mutants.mutant import Impossible

FOUND = Path(__file__).with_name("found.toml")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """A line for each group of the catalogue, and one for all; after how many seeds they were found, and what all of it cost."""
    lines = [
        "| group | planted | found | not found | equivalent | seeds, median | seeds, most | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for letter, name in GROUPS.items():
        group = [outcome for outcome in outcomes if outcome.mutant.id.startswith(letter)]
        if group:
            lines.append(_counts(name, group))
    lines.append(_counts("all", outcomes))
    return "\n".join(lines) + "\n"


def _counts(name: str, group: Sequence[Outcome]) -> str:
    found = sum(outcome.find is not None for outcome in group)
    equivalent = sum(outcome.find is None and bool(outcome.mutant.equivalent) for outcome in group)
    tried = [outcome.seeds for outcome in group if outcome.find is not None] or [0]
    figures = f"{median(tried):.0f} | {max(tried)} | {sum(outcome.seconds for outcome in group):.0f}"
    return f"| {name} | {len(group)} | {found} | {len(group) - found - equivalent} | {equivalent} | {figures} |"


def table(outcomes: Iterable[Outcome]) -> str:
    """All mutants in Markdown, and after them what cannot be planted."""
    lines = ["| id | planted bug | found by | seed | seeds tried | CPU s |", "|---|---|---|---|---|---|", *map(_row, outcomes)]
    lines += ["", "| id | bug | why it cannot be planted |", "|---|---|---|", *map(_impossible, IMPOSSIBLE)]
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome) -> str:
    mutant, find = outcome.mutant, outcome.find
    if find is None:
        by = f"equivalent: {mutant.equivalent}" if mutant.equivalent else "**not found**"
        seed = ""
    else:
        by = f"{find.finder}: {find.where} {find.what}".rstrip()
        seed = str(find.seed)
    return f"| {mutant.id} | {_cell(mutant.title)} | {_cell(by)} | {seed} | {outcome.seeds} | {outcome.seconds:.1f} |"


def _impossible(one: Impossible) -> str:
    return f"| {one.id} | {_cell(one.title)} | {_cell(one.reason)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def finders_list() -> str:
    """The finders and what they do."""
    return "".join(f"- `{name}`: {what}\n" for name, what in FINDERS.items())


def page(before: str, outcomes: Sequence[Outcome]) -> str:
    """The page with its generated part replaced."""
    head, _, rest = before.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n{summary(outcomes)}\n{table(outcomes)}\n{END}{tail}"


def save_finds(outcomes: Iterable[Outcome], path: Path = FOUND) -> None:
    """Keeps what found each mutant; finds of mutants that were not looked for stay."""
    finds = load_finds(path)
    for outcome in outcomes:
        finds.pop(outcome.mutant.id, None)
        if outcome.find is not None:
            finds[outcome.mutant.id] = outcome.find
    lines = ["# What found each mutant first: `raftkv-chaos mutants` writes this file.\n"]
    for identifier in sorted(finds):
        find = finds[identifier]
        lines.append(f"\n[{identifier}]\nfinder = {_text(find.finder)}\nseed = {find.seed}\n")
        lines.append(f"where = {_text(find.where)}\nwhat = {_text(find.what)}\n")
    path.write_text("".join(lines))


def load_finds(path: Path = FOUND) -> dict[str, Find]:
    """What found each mutant, as far as anything did."""
    if not path.exists():
        return {}
    return {identifier: Find(**find) for identifier, find in tomllib.loads(path.read_text()).items()}


def _text(text: str) -> str:
    """A TOML string: what JSON escapes, it does too."""
    return json.dumps(text, ensure_ascii=True).replace("\\u007f", "\\u007F")
