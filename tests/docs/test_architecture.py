import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def rows() -> list[list[str]]:
    lines = TEXT[TEXT.index("| folder |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_names_each_part_of_the_package_once() -> None:
    named = [name.rstrip("/") for row in rows() for name in re.findall(r"`([^`]+)`", row[0])]
    parts = {path.name for path in (ROOT / "raftkv").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(named) == sorted(parts - {"__init__.py"})


def test_every_row_says_what_is_owned_and_what_to_change() -> None:
    assert all(len(row) == 3 and all(row) for row in rows())


def test_files_that_decisions_name_are_there() -> None:
    named = re.findall(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.py)`", TEXT)
    roots = (ROOT / "raftkv", ROOT, ROOT / "jepsen_like/raftkv_jepsen")
    assert named
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
