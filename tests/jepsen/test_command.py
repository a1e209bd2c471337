"""The command: what it prints, how it exits, and the page that it writes."""

import json
import re
from pathlib import Path

import pytest

from raftkv_jepsen.command import run
from raftkv_jepsen.history import Event, HistoryWriter

GOOD = [
    Event("invoke", 1, "write", 3, "x", 0.0),
    Event("fault", "nemesis", "partition", "start", time=0.5),
    Event("ok", 1, "write", 3, "x", 1.0),
    Event("invoke", 2, "read", None, "x", 2.0),
    Event("ok", 2, "read", 3, "x", 3.0),
]
BAD = [*GOOD, Event("invoke", 1, "read", None, "x", 4.0), Event("ok", 1, "read", 4, "x", 5.0)]


def written(path: Path, events: list[Event]) -> str:
    with HistoryWriter(path) as writer:
        for event in events:
            writer.write(event)
    return str(path)


def test_good_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", written(tmp_path / "h", GOOD), "--model", "register"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("ok\n")
    for line in ("operations: 2", "open: 0", "parts: 1", "steps: ", "seconds: ", "format: raftkv"):
        assert line in output


def test_violation_and_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert run(["check", written(tmp_path / "h", BAD), "--model", "register", "--html", str(page)]) == 1
    assert "no order of the operations on 'x' explains process 1: read x None -> 4" in capsys.readouterr().out
    text = page.read_text()
    assert "prefers-color-scheme: dark" in text
    assert "First impossible operation: <code>process 1: read x None -&gt; 4</code>" in text
    assert "Longest linearizable prefix: 2 operations" in text
    assert 'class="bad"' in text
    assert 'class="fault"' in text
    assert not re.search(r"(?:src|href|url|@import)\s*[=(]", text)


def test_search_cut_off_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [Event("invoke", n, "add", n) for n in range(20)] + [Event("ok", n, "add", n) for n in range(20)]
    events += [Event("invoke", 1, "read"), Event("ok", 1, "read", ["nonsense"])]
    path = written(tmp_path / "h", events)
    assert run(["check", path, "--model", "set", "--max-steps", "3000", "--html", str(tmp_path / "p")]) == 2
    assert capsys.readouterr().out.startswith("unknown\n")


@pytest.mark.parametrize(
    ("content", "model", "complaint"),
    [
        (b"", "register", "empty"),
        (b"\xff\xfe", "register", "not text"),
        (b"hello", "register", "neither JSON lines"),
        (b'{"type": "invoke", "process": 1, "f": "jump"}\n', "register", "does not know"),
        (b'{"type": "invoke", "process": 1, "f": "put", "value": 3}\n', "etcd", "no request"),
        (b'{"type": "invoke", "process": 1, "f": "put", "value": 3}\n', "watch", "--log"),
        (b'{"ty', "register", "no operations"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, model: str, complaint: str
) -> None:
    (tmp_path / "h").write_bytes(content)
    assert run(["check", str(tmp_path / "h"), "--model", model]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_missing_file_and_unknown_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path / "none"), "--model", "register"]) == 2
    assert "No such file" in capsys.readouterr().err
    assert run(["check", str(tmp_path / "none"), "--model", "nonsense"]) == 2


def test_every_other_checker_can_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.write_text(json.dumps({"f": "put", "value": {"key": "a", "value": "1"}}) + '\n{"f": "pu')
    put = [Event("invoke", 1, "put", {"key": "a", "value": "1"}, time=0.0), Event("ok", 1, "put", {"revision": 2}, time=1.0)]
    path = written(tmp_path / "h", put)
    for model in ("etcd", "watch", "lease", "lock", "reads", "rendezvous", "list-append"):
        assert run(["check", path, "--model", model, "--log", str(log), "--html", str(tmp_path / "page")]) == 0, model
        assert capsys.readouterr().out.startswith("ok\n")
