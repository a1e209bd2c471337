"""Each format on messages made by hand; the expected texts are etcdctl 3.5.1's for the same messages."""

import click
import pytest

from raftkv.pb import kv, rpc
from raftkv_cli.formats import Answer, EndpointHealth, EndpointStatus, Healths, Statuses, Style, render

HEADER = rpc.ResponseHeader(cluster_id=324952591200643719, member_id=3319814642761637952, revision=25, raft_term=2)
HEADER_JSON = '"header":{"cluster_id":324952591200643719,"member_id":3319814642761637952,"revision":25,"raft_term":2}'
HEADER_FIELDS = '"ClusterID" : 324952591200643719\n"MemberID" : 3319814642761637952\n"Revision" : 25\n"RaftTerm" : 2\n'
PAIR = kv.KeyValue(key=b"foo", create_revision=2, mod_revision=17, version=16, value=b"b\xffz", lease=5)
RANGE = rpc.RangeResponse(header=HEADER, kvs=[PAIR], more=True, count=3)
STATUS = rpc.StatusResponse(
    header=HEADER, version="3.5.1", dbSize=28672, leader=3319814642761637952, raftIndex=7, raftTerm=2, raftAppliedIndex=6
)
ALARMED = "memberID:13668033151171901709 alarm:NOSPACE "


def text(write_out: str, answer: Answer, **style: bool) -> str:
    return render(write_out, answer, Style(**style)).decode("utf-8", "surrogateescape")


def test_simple_prints_the_very_bytes() -> None:
    assert render("simple", RANGE, Style()) == b"foo\nb\xffz\n"


def test_simple_hex_escapes_keys_and_values() -> None:
    assert text("simple", RANGE, hex=True) == "\\x66\\x6f\\x6f\n\\x62\\xff\\x7a\n"


def test_simple_can_leave_out_the_keys() -> None:
    assert render("simple", RANGE, Style(values_only=True)) == b"b\xffz\n"


def test_simple_prints_only_a_count_when_only_that_was_asked() -> None:
    assert text("simple", rpc.RangeResponse(count=3), count_only=True) == "3\n"


def test_json_of_a_range() -> None:
    pair = '{"key":"Zm9v","create_revision":2,"mod_revision":17,"version":16,"value":"Yv96","lease":5}'
    assert text("json", RANGE) == f'{{{HEADER_JSON},"kvs":[{pair}],"more":true,"count":3}}\n'


def test_json_leaves_out_what_is_empty() -> None:
    assert text("json", rpc.RangeResponse(header=HEADER)) == f"{{{HEADER_JSON}}}\n"
    assert text("json", rpc.AlarmResponse()) == "{}\n"


def test_fields_of_a_range() -> None:
    pair = '"Key" : "foo"\n"CreateRevision" : 2\n"ModRevision" : 17\n"Version" : 16\n"Value" : "b\\xffz"\n"Lease" : 5\n'
    assert text("fields", RANGE) == HEADER_FIELDS + pair + '"More" : true\n"Count" : 3\n'


def test_put_prints_the_pair_before_only_where_there_was_one() -> None:
    assert text("simple", rpc.PutResponse(header=HEADER)) == "OK\n"
    assert render("simple", rpc.PutResponse(header=HEADER, prev_kv=PAIR), Style()) == b"OK\nfoo\nb\xffz\n"
    assert '"PrevKey" : "foo"\n"PrevCreateRevision" : 2\n' in text("fields", rpc.PutResponse(header=HEADER, prev_kv=PAIR))


def test_delete_prints_the_count_and_the_pairs() -> None:
    answer = rpc.DeleteRangeResponse(header=HEADER, deleted=1, prev_kvs=[PAIR])
    assert render("simple", answer, Style()) == b"1\nfoo\nb\xffz\n"
    assert text("fields", answer).startswith(HEADER_FIELDS + '"Deleted" : 1\n"PrevKey" : "foo"\n')


def transaction() -> rpc.TxnResponse:
    inner = rpc.ResponseHeader(revision=25)
    read = rpc.ResponseOp(response_range=rpc.RangeResponse(header=inner, kvs=[kv.KeyValue(key=b"k", value=b"v")], count=1))
    written = rpc.ResponseOp(response_put=rpc.PutResponse(header=inner))
    removed = rpc.ResponseOp(response_delete_range=rpc.DeleteRangeResponse(header=inner))
    nested = rpc.ResponseOp(response_txn=rpc.TxnResponse(header=inner, succeeded=True, responses=[written]))
    return rpc.TxnResponse(header=HEADER, responses=[read, written, removed, nested])


def test_simple_transaction() -> None:
    assert text("simple", transaction()) == "FAILURE\n\nk\nv\n\nOK\n\n0\n\nSUCCESS\n\nOK\n"


def test_json_transaction_names_the_oneof() -> None:
    inner = '"header":{"revision":25}'
    responses = [
        f'{{"Response":{{"response_range":{{{inner},"kvs":[{{"key":"aw==","value":"dg=="}}],"count":1}}}}}}',
        f'{{"Response":{{"response_put":{{{inner}}}}}}}',
        f'{{"Response":{{"response_delete_range":{{{inner}}}}}}}',
        f'{{"Response":{{"response_txn":{{{inner},"succeeded":true,"responses":[{{"Response":{{"response_put":{{{inner}}}}}}}]}}}}}}',
    ]
    assert text("json", transaction()) == f'{{{HEADER_JSON},"responses":[{",".join(responses)}]}}\n'


def test_fields_transaction_has_a_header_for_each_response() -> None:
    lines = text("fields", transaction()).splitlines()
    assert lines[4] == '"Succeeded" : false'
    assert lines.count('"Revision" : 25') == 6
    assert lines.count('"ClusterID" : 0') == 5


MEMBERS = rpc.MemberListResponse(
    header=HEADER,
    members=[
        rpc.Member(ID=3319814642761637952, name="a", peerURLs=["http://h:1"], clientURLs=["http://h:2"]),
        rpc.Member(ID=13166724014837281362, peerURLs=["http://h:3", "http://h:4"], isLearner=True),
    ],
)


def test_simple_members() -> None:
    assert text("simple", MEMBERS) == (
        "2e1259d415f2a040, started, a, http://h:1, http://h:2, false\nb6b999bb2ffb3252, unstarted, , http://h:3,http://h:4, , true\n"
    )


def test_json_members_in_hexadecimal() -> None:
    assert text("json", MEMBERS, hex=True) == (
        '{"header":{"cluster_id":"48276a8f75b6a87","member_id":"2e1259d415f2a040","revision":25,"raft_term":2},"members":['
        '{"ID":"2e1259d415f2a040","name":"a","peerURLs":["http://h:1"],"clientURLS":["http://h:2"]},'
        '{"ID":"b6b999bb2ffb3252","name":"","peerURLs":["http://h:3","http://h:4"],"clientURLS":null}]}\n'
    )


def test_fields_members() -> None:
    assert text("fields", MEMBERS).endswith(
        '"ID" : 13166724014837281362\n"Name" : ""\n"PeerURL" : "http://h:3"\n"PeerURL" : "http://h:4"\n"IsLearner" : true\n\n'
    )


def test_table_centres_heads_and_sets_cells_to_the_right() -> None:
    assert text("table", MEMBERS).splitlines() == [
        "+------------------+-----------+------+-----------------------+--------------+------------+",
        "|        ID        |  STATUS   | NAME |      PEER ADDRS       | CLIENT ADDRS | IS LEARNER |",
        "+------------------+-----------+------+-----------------------+--------------+------------+",
        "| 2e1259d415f2a040 |   started |    a |            http://h:1 |   http://h:2 |      false |",
        "| b6b999bb2ffb3252 | unstarted |      | http://h:3,http://h:4 |              |       true |",
        "+------------------+-----------+------+-----------------------+--------------+------------+",
    ]


def test_table_breaks_a_long_cell_at_its_blanks() -> None:
    status = rpc.StatusResponse()
    status.CopyFrom(STATUS)
    status.errors.append(ALARMED)
    row = text("table", Statuses([EndpointStatus("h:2", status)])).splitlines()[3:5]
    assert [line[-33:] for line in row] == ["  memberID:13668033151171901709 |", "                 alarm:NOSPACE  |"]


def test_table_breaks_lines_evenly() -> None:
    error = "aaaaaaaaaa bbbbbbbbbb cccccccccc dd eeeeeeeeeeeeeeeee"
    row = text("table", Healths([EndpointHealth("h:2", 1.0, error)])).splitlines()[3:-1]
    assert [line.split("|")[-2].strip() for line in row] == [
        "aaaaaaaaaa bbbbbbbbbb",
        "cccccccccc dd",
        "eeeeeeeeeeeeeeeee",
    ]


def test_table_without_rows_keeps_its_frame() -> None:
    frame = "+----------+--------+------+-------+"
    assert text("table", Healths([])).splitlines() == [frame, "| ENDPOINT | HEALTH | TOOK | ERROR |", frame, frame]


def test_status_in_simple_and_fields() -> None:
    statuses = Statuses([EndpointStatus("h:2", STATUS)])
    assert text("simple", statuses) == "h:2, 2e1259d415f2a040, 3.5.1, 29 kB, true, false, 2, 7, 6, \n"
    assert text("fields", statuses).endswith(
        '"Version" : "3.5.1"\n"DBSize" : 28672\n"Leader" : 3319814642761637952\n"IsLearner" : false\n"RaftIndex" : 7\n'
        '"RaftTerm" : 2\n"RaftAppliedIndex" : 6\n"Errors" : []\n"Endpoint" : "h:2"\n\n'
    )


def test_health_in_every_format() -> None:
    healths = Healths([EndpointHealth("h:1", 0.0015), EndpointHealth("h:2", 0.5, "context deadline exceeded")])
    assert text("simple", healths) == "h:1 is healthy: successfully committed proposal: took = 1.5ms\n"
    assert text("json", healths) == (
        '[{"endpoint":"h:1","health":true,"took":"1.5ms"},'
        '{"endpoint":"h:2","health":false,"took":"500ms","error":"context deadline exceeded"}]\n'
    )
    assert text("fields", healths).startswith('"Endpoint" : "h:1"\n"Health" : true\n"Took" : 1.5ms\n"Error" : \n\n')


def test_alarms_in_every_format() -> None:
    alarm = rpc.AlarmMember(memberID=13668033151171901709, alarm=rpc.NOSPACE)
    answer = rpc.AlarmResponse(header=HEADER, alarms=[alarm])
    assert text("simple", answer) == ALARMED + "\n"
    assert text("json", answer) == f'{{{HEADER_JSON},"alarms":[{{"memberID":13668033151171901709,"alarm":1}}]}}\n'
    assert text("fields", answer) == HEADER_FIELDS + '"MemberID" : 13668033151171901709\n"AlarmType" : NOSPACE\n\n'


def test_table_is_refused_for_what_is_no_list() -> None:
    with pytest.raises(click.UsageError, match="table not supported"):
        render("table", RANGE, Style())
