"""A part of a document that a benchmark writes: what stands between two marks, and nothing else."""

from pathlib import Path


def write_section(document: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- NAME -->` and `<!-- end of NAME -->`. Raises ValueError where the marks are missing."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found_begin, rest = document.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{document} has no place for {name}: {begin.strip()} ... {end}")
    document.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")
