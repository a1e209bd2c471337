import json
from random import Random
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.gateway.base64_text import decode
from raftkv.gateway.json_text import JsonError, first_value
from raftkv.gateway.reading import MAX_DEPTH, plan_of
from raftkv.gateway.writing import to_json
from raftkv.pb import rpc
from tests.conformance.generator import Generator


def read(message: Any, data: bytes) -> Any:
    plan_of(message.DESCRIPTOR).fill(message, first_value(data))
    return message


def refusal(message: Any, data: bytes) -> str:
    with pytest.raises(JsonError) as error:
        read(message, data)
    return str(error.value)


@pytest.mark.parametrize("seed", range(3))
def test_a_message_survives_the_way_to_json_and_back(seed: int) -> None:
    generator = Generator(Random(seed))
    for _ in range(150):
        request = generator.request()
        text = to_json(request)
        assert read(type(request)(), text.encode()) == request
        assert json.loads(text) == json_format.MessageToDict(request, preserving_proto_field_name=True)


def test_names_are_those_of_the_proto_file_or_camel_case() -> None:
    snake = read(rpc.RangeRequest(), b'{"range_end":"YQ==","sort_order":"DESCEND","keys_only":true}')
    camel = read(rpc.RangeRequest(), b'{"rangeEnd":"YQ==","sortOrder":2,"keysOnly":true}')
    assert snake == camel == rpc.RangeRequest(range_end=b"a", sort_order="DESCEND", keys_only=True)


def test_camel_case_wins_where_both_names_are_given() -> None:
    assert read(rpc.PutRequest(), b'{"prev_kv":true,"prevKv":false}') == rpc.PutRequest()


def test_unknown_fields_and_nulls_are_passed_over() -> None:
    assert read(rpc.PutRequest(), b'{"key":"YQ==","Key":5,"foo":[{}],"lease":null}') == rpc.PutRequest(key=b"a")


def test_nothing_but_space_is_an_empty_message() -> None:
    for text in (b"", b" \t\r\n", b"null"):
        assert read(rpc.PutRequest(), text) == rpc.PutRequest()


def test_what_follows_the_first_value_is_not_read() -> None:
    assert read(rpc.PutRequest(), b'{"key":"YQ=="}]{garbage') == rpc.PutRequest(key=b"a")


def test_a_part_that_is_given_is_set_even_if_it_is_empty() -> None:
    assert read(rpc.RequestOp(), b'{"request_put":{}}').WhichOneof("request") == "request_put"
    assert to_json(rpc.RequestOp(request_put=rpc.PutRequest())) == '{"request_put":{}}'


def test_the_last_of_a_oneof_in_the_order_of_the_file_stays() -> None:
    operation = read(rpc.RequestOp(), b'{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}')
    assert operation == rpc.RequestOp(request_put=rpc.PutRequest(key=b"a"))


def test_every_bit_of_a_64_bit_integer_comes_through() -> None:
    for number in (2**63 - 1, -(2**63), 0, 2**53 + 1):
        message = rpc.PutRequest(lease=number)
        assert read(rpc.PutRequest(), b'{"lease":%d}' % number) == message
        assert read(rpc.PutRequest(), b'{"lease":"%d"}' % number) == message
    assert json.loads(to_json(rpc.PutRequest(lease=2**63 - 1))) == {"lease": "9223372036854775807"}


def test_an_enum_without_a_name_is_its_number() -> None:
    request = read(rpc.RangeRequest(), b'{"sort_order":99}')
    assert json.loads(to_json(request)) == {"sort_order": 99}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
        (b'{"key":5}', "json: cannot unmarshal number into Go value of type []uint8"),
        (b'{"key":{}}', "json: cannot unmarshal object into Go value of type []uint8"),
        (b'{"key":"YQ"}', "illegal base64 data at input byte 0"),
        (b'{"key":"-_8="}', "illegal base64 data at input byte 0"),
        (b'{"key":"YQ="}', "illegal base64 data at input byte 3"),
        (b'{"lease":1.0}', "json: cannot unmarshal number 1.0 into Go value of type int64"),
        (b'{"lease":"1e2"}', "json: cannot unmarshal number 1e2 into Go value of type int64"),
        (b'{"lease":true}', "json: cannot unmarshal bool into Go value of type int64"),
        (b'{"lease":"x"}', "invalid character 'x' looking for beginning of value"),
        (b'{"lease":""}', "unexpected end of JSON input"),
        (b'{"lease":"1x"}', "invalid character 'x' after top-level value"),
        (
            b'{"lease":9223372036854775808}',
            "json: cannot unmarshal number 9223372036854775808 into Go value of type int64",
        ),
        (b'{"prev_kv":"true"}', "json: cannot unmarshal string into Go value of type bool"),
        (b'{"key":nul}', "invalid character '}' in literal null (expecting 'l')"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"{", "unexpected EOF"),
    ],
)
def test_a_refusal_has_the_words_of_etcd(text: bytes, expected: str) -> None:
    assert refusal(rpc.PutRequest(), text) == expected


def test_enums_and_lists_refuse_in_the_words_of_etcd() -> None:
    assert refusal(rpc.RangeRequest(), b'{"sort_order":"ascend"}') == (
        r'unknown value "\"ascend\"" for enum etcdserverpb.RangeRequest.SortOrder'
    )
    assert refusal(rpc.RangeRequest(), b'{"sort_order":1.5}') == (
        "json: cannot unmarshal number 1.5 into Go value of type protoreflect.EnumNumber"
    )
    assert refusal(rpc.TxnRequest(), b'{"success":{}}') == (
        "json: cannot unmarshal object into Go value of type []json.RawMessage"
    )
    assert refusal(rpc.AlarmRequest(), b'{"memberID":"-5"}') == (
        "json: cannot unmarshal number -5 into Go value of type uint64"
    )


def test_json_that_nests_without_end_is_refused() -> None:
    for text in (b"[" * 500_000, b'{"a":' * 200_000, b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"):
        assert refusal(rpc.PutRequest(), text) == "invalid character '[' exceeded max depth"


def test_messages_that_nest_deeper_than_the_log_could_hold_are_refused() -> None:
    def nested(levels: int) -> bytes:
        return b'{"success":[{"request_txn":' * levels + b"{}" + b"}]}" * levels

    inside = (MAX_DEPTH - 1) // 2
    assert read(rpc.TxnRequest(), nested(inside)).success
    assert refusal(rpc.TxnRequest(), nested(inside + 1)) == f"raftkv: messages are nested more than {MAX_DEPTH} deep"


def test_a_text_with_far_too_many_values_is_refused_before_it_is_read() -> None:
    text = b'{"x":[' + b"1," * 200_000 + b"1]}"
    assert refusal(rpc.PutRequest(), text) == "raftkv: too many values in one request"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert read(rpc.AuthUserAddRequest(), b'{"name":"\xff","password":"\\ud800"}') == rpc.AuthUserAddRequest(
        name="\ufffd", password="\ufffd"
    )


def accepted_by_python(text: bytes) -> bool:
    def refuse(_name: str) -> None:
        raise ValueError

    try:
        json.loads(text.decode("utf-8", "replace"), parse_constant=refuse)
    except ValueError:
        return False
    return True


PIECES = st.sampled_from([*'{}[]:,"\\ \n-+.eE0127tfnu', "true", "null", '"a"', '"\\u00', "1.5", "\x00", "\x7f", "é"])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_broken_text_always_has_an_explanation(text: str) -> None:
    data = text.encode()
    try:
        first_value(data)
        explanation = ""
    except JsonError as error:
        explanation = str(error)
    assert not explanation or not accepted_by_python(data)
    assert explanation in {"", "unexpected EOF"} or explanation.startswith("invalid character ")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 60))
def test_base64_with_line_ends_is_read(data: bytes, position: int) -> None:
    text = to_json(rpc.PutRequest(key=data or b"x"))[len('{"key":"') : -2]
    at = min(position, len(text))
    assert decode(text[:at] + "\r\n" + text[at:]) == (data or b"x")


def _doubles() -> Any:
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="doubles.proto", syntax="proto3")
    field = file.message_type.add(name="Doubles").field.add(name="each", number=1)
    field.type, field.label = field.TYPE_DOUBLE, field.LABEL_REPEATED
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Doubles"))


def test_doubles_are_numbers_and_what_is_no_number_is_a_text() -> None:
    kind = _doubles()
    values = [0.25, 3.0, -1e300, float("inf"), float("-inf")]
    text = to_json(kind(each=values))
    assert text == '{"each":[0.25,3,-1e+300,"Infinity","-Infinity"]}'
    assert read(kind(), text.encode()) == kind(each=values)
    assert to_json(kind(each=[float("nan")])) == '{"each":["NaN"]}'
    assert read(kind(), b'{"each":["0.5",1e3,null]}') == kind(each=[0.5, 1000, 0])
    for wrong in (b'{"each":[1e999]}', b'{"each":[true]}', b'{"each":["x"]}'):
        refusal(kind(), wrong)
