"""Histories that others wrote, and what their events mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv_jepsen import formats
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.formats import edn
from raftkv_jepsen.formats.edn import Keyword
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.models import AppendKV, CasRegister, Mutex
from raftkv_jepsen.verdict import Validity


def console(*lines: str) -> str:
    return "".join(f"INFO  jepsen.util - {line.replace(' ', chr(9), 2)}\n" for line in lines)


def judged(text: str, model: CasRegister | Mutex | AppendKV) -> Validity:
    return check_linearizable(formats.parse(text).operations, model).validity


def test_console_read_of_nil_sees_that_nothing_is_set() -> None:
    early = console("1 :invoke :read\tnil", "1 :ok :read\tnil", "2 :invoke :write\t3", "2 :ok :write\t3")
    late = console("2 :invoke :write\t3", "2 :ok :write\t3", "1 :invoke :read\tnil", "1 :ok :read\tnil")
    assert judged(early, CasRegister()) is Validity.OK
    assert judged(late, CasRegister()) is Validity.VIOLATION


def test_console_failed_cas_sees_that_the_compare_did_not_hold() -> None:
    written = ("2 :invoke :write\t3", "2 :ok :write\t3")
    refused = console(*written, "1 :invoke :cas\t[3 4]", "1 :fail :cas\t[3 4]")
    right = console(*written, "1 :invoke :cas\t[2 4]", "1 :fail :cas\t[2 4]")
    assert judged(refused, CasRegister()) is Validity.VIOLATION
    assert judged(right, CasRegister()) is Validity.OK


def test_console_timed_out_read_is_dropped_and_info_stays_open() -> None:
    text = console(
        "2 :invoke :write\t3",
        "2 :info :write\t:timed-out",
        "1 :invoke :read\tnil",
        "1 :fail :read\t:timed-out",
        "0 :invoke :read\tnil",
        "0 :ok :read\tnil",
        "0 :invoke :read\tnil",
        "0 :ok :read\t3",
    )
    history = formats.parse(text)
    assert history.format == "console log of Jepsen"
    assert [(each.f, each.end is None) for each in history.operations] == [("write", True), ("read", False), ("read", False)]
    assert judged(text, CasRegister()) is Validity.OK
    assert judged(text + console("0 :invoke :read\tnil", "0 :ok :read\tnil"), CasRegister()) is Validity.VIOLATION


def test_console_lines_of_later_releases_and_of_the_nemesis() -> None:
    text = (
        "2026-01-01 12:00:00,123{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:invoke\t:write\t4\n"
        "2026-01-01 12:00:00,124{GMT}\tINFO\t[jepsen nemesis] jepsen.util: :nemesis\t:info\t:start\tnil\n"
        "something else entirely\n"
        "2026-01-01 12:00:00,125{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:ok\t:write\t4\n"
    )
    history = formats.parse(text)
    assert len(history.operations) == 1
    assert [fault.name for fault in history.faults] == ["fault"]


def test_edn_vector_read_of_nil_matches_anything_and_fail_never_took_place() -> None:
    text = """; a comment first
    [{:process 0, :type :invoke, :f :write, :value 1}
     {:process 0, :type :ok, :f :write, :value 1, :index 3, :time 12, :error [:odd "thing"], :node #{n1 n2}}
     {:process 1, :type :invoke, :f :read, :value nil}, {:process 1, :type :ok, :f :read, :value nil}
     #_ {:left :out}
     {:process 2 :type :invoke :f :cas :value [1 2]} {:process 2 :type :fail :f :cas :value [1 2]}
     {:process :nemesis, :type :info, :f :start, :time #inst "2026-01-01"}
     {:process 3 :type :invoke :f :read :value nil} {:process 3 :type :ok :f :read :value 1}]"""
    history = formats.parse(text)
    assert history.format == "EDN vector"
    assert [each.f for each in history.operations] == ["write", "read"]
    assert judged(text, CasRegister()) is Validity.OK


def test_edn_list_of_records_with_namespaces() -> None:
    text = (
        "(#jepsen.history.Op{:jepsen/process 0, :type :invoke, :f :acquire} {:process 0, :type :ok, :f :acquire, :value nil}"
        " {:process 1, :type :invoke, :f :acquire} {:process 1, :type :ok, :f :acquire})"
    )
    assert judged(text, Mutex()) is Validity.VIOLATION


def test_edn_lines_with_keys() -> None:
    lines = [
        '{:process 9, :type :invoke, :f :append, :key "0", :value "x"}',
        '{:process 8, :type :invoke, :f :get, :key "1", :value nil}',
        '{:process 8, :type :ok, :f :get, :key "1", :value ""}',
        '{:process 9, :type :ok, :f :append, :key "0", :value "x"}',
        '{:process 8, :type :invoke, :f :get, :key "0", :value nil}',
    ]
    good = "\n".join([*lines, '{:process 8, :type :ok, :f :get, :key "0", :value "x"}\n'])
    bad = "\n".join([*lines, '{:process 8, :type :ok, :f :get, :key "0", :value ""}\n'])
    assert formats.parse(good).format == "EDN lines"
    assert judged(good, AppendKV()) is Validity.OK
    assert judged(bad, AppendKV()) is Validity.VIOLATION


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "hello",
        "[1 2 3]",
        "[{:process 1}",
        "[{:process 1 :type}]",
        "{:process 1}}",
        '{"type": "ok"}\n{}\n',
        "\0\1",
        "<html>",
    ],
)
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(HistoryError):
        formats.parse(text)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for candidate in (text, "[{" + text, '{"type": ' + text, "INFO  jepsen.util - 3\t:invoke\t:read\t" + text):
        assert "\n" not in complaint(candidate)


def complaint(text: str) -> str:
    try:
        formats.parse(text)
    except HistoryError as error:
        return str(error)
    return ""


def test_edn_values() -> None:
    text = r"""nil true :a/b 12 -3N 1.5 2M "q\"\n\u0041" \c \newline [1 (2) #{3} {:k [4]}] #tag {:x 1} sym ; end"""
    assert list(edn.read_all(text)) == [
        None,
        True,
        Keyword("a/b"),
        12,
        -3,
        1.5,
        2,
        'q"\nA',
        "c",
        "\n",
        (1, (2,), frozenset({3}), {Keyword("k"): (4,)}),
        {Keyword("x"): 1},
        "sym",
    ]
    assert Keyword("ok") != "ok"


def test_deep_nesting_is_read_without_recursion() -> None:
    assert len(list(edn.read_all("[" * 50_000 + "]" * 50_000))) == 1
