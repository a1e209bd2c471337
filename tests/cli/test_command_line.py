"""The command line without a cluster: help, options, errors and exit codes."""

import io
import os
import signal
import socket
import subprocess
import sys

import click
import pytest

from raftkv import __version__
from raftkv.errors import ConfigError, NoSpaceError
from raftkv_cli import root
from raftkv_cli.command import Command
from raftkv_cli.global_options import Settings, settings_of
from raftkv_cli.main import BROKEN_PIPE, INTERRUPTED, run

Capture = pytest.CaptureFixture[str]


def subcommands(name: str) -> list[list[str]]:
    command = root.COMMANDS[name].load()
    inner = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
    return [[name], *([name, each] for each in inner)]


@pytest.mark.parametrize("name", root.COMMANDS)
def test_every_command_has_help_with_a_summary_and_examples(name: str, capsys: Capture) -> None:
    for path in subcommands(name):
        assert run([*path, "--help"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage: raftkv {' '.join(path)}")
        assert "Examples:" in shown or "Commands:" in shown


@pytest.mark.parametrize("name", root.COMMANDS)
def test_the_list_of_commands_says_what_the_commands_say(name: str) -> None:
    help_text = root.COMMANDS[name].load().help
    assert help_text is not None
    assert help_text.splitlines()[0] == root.COMMANDS[name].summary


@pytest.mark.parametrize("arguments", [[], ["--help"], ["member"], ["endpoint"], ["alarm"]], ids=" ".join)
def test_help_is_shown_where_nothing_is_asked(arguments: list[str], capsys: Capture) -> None:
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: raftkv")
    assert not captured.err


def modules_loaded_by(*arguments: str) -> set[str]:
    script = f"import sys; from raftkv_cli.main import run; run({list(arguments)}); print(*sys.modules)"
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", ["--help", "--version", "version"])
def test_help_and_version_load_next_to_nothing(arguments: str) -> None:
    assert not {"asyncio", "google.protobuf", "raftkv.client", "raftkv.pb", "raftkv_cli.session"} & modules_loaded_by(arguments)


def test_the_help_of_commands_does_not_load_the_client() -> None:
    for command in ("get", "txn", "status", "member", "alarm"):
        assert "raftkv.client" not in modules_loaded_by(command, "--help")


def test_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "raftkv_cli.main", "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("raftkv version: ")


def test_version_is_ours_and_the_api_s(capsys: Capture) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"raftkv version: {__version__}\nAPI version: 3.5\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gte", "k"], "no such command 'gte', did you mean 'get'?"),
        (["get"], "Missing argument 'KEY'."),
        (["get", "k", "z", "more"], "Got unexpected extra argument (more)"),
        (["get", "k", "--nope"], "--nope"),
        (["get", "k", "-w", "yaml"], "'yaml' is not one of"),
        (["get", "k", "-w", "table"], "table not supported as output format"),
        (["get", "k", "--command-timeout", "5"], "'5' is not a duration such as 500ms, 5s or 1m30s"),
        (["get", "k", "--command-timeout", "0s"], "'0s' must be longer than nothing"),
        (["get", "k", "--rev", "-1"], "-1 is not in the range"),
        (["get", "k", "--limit", "x"], "'x' is not a valid integer range"),
        (["get", "k", "z", "--prefix"], "only one is accepted when --prefix or --from-key is set"),
        (["get", "k", "--prefix", "--from-key"], "choose one"),
        (["get", "k", "--keys-only", "--count-only"], "choose one"),
        (["get", "k", "--print-value-only", "-w", "json"], "--print-value-only is only for --write-out simple"),
        (["get", "k", "--max-staleness", "1s"], "--max-staleness needs --consistency s"),
        (["get", "k", "--consistency", "q"], "'q' is not one of"),
        (["get", "k", "--endpoints", " , "], "no endpoint given"),
        (["get", "k", "--endpoints", "a:b"], "'a:b'"),
        (["get", "k", "--cert", "x"], "--cert and --key must be given together"),
        (["status", "--cert", "x"], "--cert and --key must be given together"),
        (["endpoint", "health", "--endpoints", "a:b"], "'a:b'"),
        (["get", "k", "--cacert", "/nowhere"], "/nowhere"),
        (["put", "k", "v", "--lease", "zz"], "'zz' is not a lease id in hexadecimal"),
        (["put", "k", "v", "--lease", "1", "--ignore-lease"], "choose one"),
        (["put", "k", "v", "--ignore-value"], "put takes no value when --ignore-value is set"),
        (["put", "k"], "put needs a value, as argument or on standard input"),
        (["compact", "x"], "'x' is not a valid integer range"),
        (["txn"], "an empty line must follow the compares"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_bad_input_ends_with_one_line_and_2(
    arguments: list[str], message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("Error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@click.command("probe", cls=Command, tabular=True)
@click.option("--flag", is_flag=True)
@click.pass_context
def probe(context: click.Context, /, *, flag: bool) -> None:
    seen.append((settings_of(context), flag))


seen: list[tuple[Settings, bool]] = []


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool]]:
    """Adds a command `probe`, and tells what options it was run with."""
    lazy = type("Loaded", (), {"load": lambda _: probe, "hidden": False, "summary": ""})()
    monkeypatch.setitem(root.COMMANDS, "probe", lazy)
    seen.clear()
    return seen


def settings_after(arguments: list[str], probed: list[tuple[Settings, bool]]) -> Settings:
    assert run(arguments) == 0
    return probed[-1][0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoints", "h:1", "-w", "json", "--hex", "--command-timeout", "1m", "probe"],
        ["probe", "--endpoints", "h:1", "-w", "json", "--hex", "--command-timeout", "1m"],
        ["--endpoints", "elsewhere", "-w", "table", "--hex", "probe", "--endpoints=h:1", "-wjson", "--command-timeout=60s"],
        ["probe", "--endpoints=h:1", "--write-out=JSON", "--hex=true", "--command-timeout=60000ms"],
    ],
    ids=" ".join,
)
def test_global_options_stand_before_and_after_the_command(arguments: list[str], probed: list[tuple[Settings, bool]]) -> None:
    assert settings_after(arguments, probed) == Settings(endpoints="h:1", write_out="json", hex=True, command_timeout=60)


def test_global_options_come_from_the_environment(probed: list[tuple[Settings, bool]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RAFTKV_ENDPOINTS": "h:1,h:2",
        "ETCDCTL_ENDPOINTS": "h:3",
        "ETCDCTL_WRITE_OUT": "json",
        "RAFTKV_DIAL_TIMEOUT": "300ms",
        "RAFTKV_HEX": "true",
        "RAFTKV_PROBE_FLAG": "true",
    }.items():
        monkeypatch.setenv(name, value)
    expected = Settings(endpoints="h:1,h:2", write_out="json", dial_timeout=0.3, hex=True)
    assert settings_after(["probe"], probed) == expected
    assert probed[-1][1] is True


@pytest.mark.parametrize("before", [True, False])
def test_an_option_beats_the_environment(
    before: bool,  # noqa: FBT001 - a parameter of the test
    probed: list[tuple[Settings, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAFTKV_ENDPOINTS", "h:1")
    arguments = ["--endpoints", "h:2", "probe"] if before else ["probe", "--endpoints", "h:2"]
    assert settings_after(arguments, probed).endpoints == "h:2"


def test_flags_take_truth_values_as_go_s_do(probed: list[tuple[Settings, bool]]) -> None:
    assert settings_after(["probe", "--insecure-transport=false", "--hex=false"], probed) == Settings(insecure_transport=False)
    assert run(["probe", "--flag=T"]) == 0
    assert probed[-1][1] is True
    assert run(["probe", "--flag=maybe"]) == 2


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> click.Command:
        raise error

    lazy = type("Failing", (), {"load": lambda _: load(), "hidden": False, "summary": ""})()
    monkeypatch.setitem(root.COMMANDS, "probe", lazy)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NoSpaceError(), 1, "Error: etcdserver: mvcc: database space exceeded\n"),
        (ConfigError("a bad\nfile"), 2, "Error: a bad file\n"),
        (ConnectionRefusedError(111, "Connection refused"), 1, "Error: [Errno 111] Connection refused\n"),
        (TypeError("ours"), 1, "Error: internal error: TypeError('ours') (--debug shows where)\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (click.Abort(), INTERRUPTED, ""),
    ],
)
def test_an_error_ends_with_one_line(
    error: BaseException, code: int, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(error, monkeypatch)
    assert run(["probe"]) == code
    assert capsys.readouterr() == ("", message)


def test_debug_shows_where_an_error_comes_from(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(TypeError("ours"), monkeypatch)
    assert run(["--debug", "probe"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    script = "import sys; from raftkv_cli.main import main; sys.argv = ['raftkv', '--help']; main()"
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run([sys.executable, "-c", script], stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: Capture) -> None:
    assert run(["completion", shell]) == 0
    assert "_RAFTKV_COMPLETE" in capsys.readouterr().out


def completed(line: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("_RAFTKV_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    assert run([]) == 0
    return [choice.partition(",")[2] for choice in capsys.readouterr().out.splitlines()]


def test_completes_commands_options_and_choices(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("raftkv co", capsys, monkeypatch) == ["compact", "completion"]
    assert completed("raftkv endpoint ", capsys, monkeypatch) == ["hashkv", "health", "status"]
    assert completed("raftkv get --sort", capsys, monkeypatch) == ["--sort-by"]
    assert completed("raftkv get k -w j", capsys, monkeypatch) == ["json"]


def test_ctrl_c_while_waiting_for_an_answer_ends_quietly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = f"127.0.0.1:{mute.getsockname()[1]}"
        script = "from raftkv_cli.main import main; main()"
        command = [sys.executable, "-c", script, "get", "k", "--endpoints", endpoint]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            connection, _ = mute.accept()
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=30)
            connection.close()
    assert (process.returncode, printed) == (INTERRUPTED, (b"", b""))


def test_an_answer_that_does_not_come_in_time_is_an_error(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = f"127.0.0.1:{mute.getsockname()[1]}"
        assert run(["get", "k", "--endpoints", endpoint, "--command-timeout", "50ms"]) == 1
    assert capsys.readouterr().err.startswith("Error: ")


def test_nobody_listening_is_said_at_once(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"127.0.0.1:{closed.getsockname()[1]}"
    assert run(["get", "k", "--endpoints", endpoint, "--command-timeout", "1h"]) == 1
    assert endpoint in capsys.readouterr().err
