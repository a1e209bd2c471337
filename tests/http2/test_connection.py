"""What the server does right with a client that does right, and with floods of what is legal. The client is the h2 library."""

import random
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from raftkv.http2 import frames, hpack
from raftkv.http2.connection import RESET_BURST
from raftkv.http2.frames import ErrorCode, Setting
from raftkv.http2.options import Options
from raftkv.http2.outbox import MANY_BYTES, MAX_UNSENT_REPLIES, WRITE_BUDGET
from tests.http2.wire import REQUEST, Recorder, Wire, block, data, headers, request

ANSWER = hpack.encode(((":status", "200"), ("content-type", "application/grpc")))
TRAILERS = hpack.encode((("grpc-status", "0"),))


class Pair:
    """An h2 client and our server, joined."""

    def __init__(self, options: Options | None = None) -> None:
        self.wire = Wire(options, greet=False)
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.client.initiate_connection()
        self.events: list[h2.events.Event] = []
        self.turn()

    def turn(self) -> None:
        """Carries bytes until both sides are silent."""
        while True:
            up, down = self.client.data_to_send(), self.wire.connection.outbox.take()
            if not up and not down:
                return
            self.wire.connection.receive_data(up)
            self.events += self.client.receive_data(down)

    def open(self, *, end_stream: bool = False) -> int:
        stream_id = int(self.client.get_next_available_stream_id())
        self.client.send_headers(stream_id, REQUEST, end_stream=end_stream)
        self.turn()
        return stream_id

    def call(self, stream_id: int) -> Recorder:
        return self.wire.calls[stream_id]

    def seen(self, kind: type[h2.events.Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def content(self, stream_id: int) -> bytes:
        return b"".join(
            event.data for event in self.events if isinstance(event, h2.events.DataReceived) and event.stream_id == stream_id
        )


def test_a_whole_answer_is_read_by_another_implementation() -> None:
    pair = Pair()
    stream_id = pair.open(end_stream=True)
    pair.wire.connection.outbox.answer(pair.wire.stream(stream_id), ANSWER, b"hello", TRAILERS)
    pair.turn()
    assert pair.content(stream_id) == b"hello"
    assert [event.headers for event in pair.seen(h2.events.TrailersReceived)] == [[("grpc-status", "0")]]
    assert pair.seen(h2.events.StreamEnded)
    assert not pair.wire.connection.streams


@pytest.mark.parametrize("window", [0, 1, 100, 65_535, 1_000_000])
def test_5_2_a_large_answer_keeps_to_the_windows(window: int) -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    pair.turn()
    stream_id = pair.open(end_stream=True)
    content = random.Random(3).randbytes(300_000)
    pair.wire.connection.outbox.answer(pair.wire.stream(stream_id), ANSWER, content, TRAILERS)
    pair.turn()
    assert len(pair.content(stream_id)) == min(window, 65_535)
    while not pair.seen(h2.events.StreamEnded):
        pair.client.increment_flow_control_window(50_000, stream_id)
        pair.client.increment_flow_control_window(50_000)
        pair.turn()
        pair.wire.connection.outbox.pump()
        pair.turn()
    assert pair.content(stream_id) == content
    assert pair.wire.connection.outbox.queued == 0


def test_5_2_streams_share_the_connections_window() -> None:
    pair = Pair()
    ids = [pair.open(end_stream=True) for _ in range(4)]
    for stream_id in ids:
        pair.wire.connection.outbox.answer(pair.wire.stream(stream_id), ANSWER, bytes(40_000), TRAILERS)
    pair.turn()
    assert sum(len(pair.content(stream_id)) for stream_id in ids) == 65_535
    pair.client.increment_flow_control_window(200_000)
    pair.turn()
    assert [len(pair.content(stream_id)) for stream_id in ids] == [40_000] * 4


def test_5_2_streams_with_queues_take_turns() -> None:
    wire = Wire()
    wire.send(
        frames.window_update(0, 1 << 20), frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1 << 20)]), headers(1), headers(3)
    )
    wire.connection.outbox.congested = True
    for stream_id in (1, 3):
        wire.connection.outbox.data(wire.stream(stream_id), bytes(40_000))
    wire.connection.outbox.congested = False
    wire.connection.outbox.pump()
    assert [frame.stream_id for frame in wire.receive()] == [1, 3, 1, 3, 1, 3]


def test_6_9_2_a_smaller_initial_window_makes_windows_negative() -> None:
    wire = Wire()
    wire.send(headers(1))
    wire.connection.outbox.data(wire.stream(1), bytes(10_000))
    wire.send(frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1000)]))
    assert wire.stream(1).send_window == -9000
    wire.connection.outbox.data(wire.stream(1), b"x" * 10)
    assert wire.receive() == []
    assert [len(frame.payload) for frame in wire.send(frames.window_update(1, 9005))] == [5]


def test_6_5_2_frames_grow_with_the_clients_max_frame_size() -> None:
    wire = Wire()
    wire.send(
        frames.settings([(Setting.MAX_FRAME_SIZE, 100_000), (Setting.INITIAL_WINDOW_SIZE, 1 << 20)]),
        frames.window_update(0, 1 << 20),
        request(1),
    )
    wire.connection.outbox.answer(wire.stream(1), ANSWER, bytes(100_001), TRAILERS)
    assert [len(frame.payload) for frame in wire.receive() if frame.kind == frames.DATA] == [100_000, 1]


def test_6_10_a_large_header_block_is_cut_into_continuation_frames() -> None:
    pair = Pair()
    stream_id = pair.open(end_stream=True)
    fields = ((":status", "200"), ("grpc-message", "m" * 40_000))
    pair.wire.connection.outbox.headers(pair.wire.stream(stream_id), hpack.encode(fields), end_stream=True)
    kinds = [frame.kind for frame in pair.wire.receive()]
    assert kinds == [frames.HEADERS, frames.CONTINUATION, frames.CONTINUATION]


def test_6_10_a_request_in_continuation_frames_arrives() -> None:
    wire = Wire()
    whole = block(("x-long", "v" * 9000))
    parts = [whole[at : at + 1000] for at in range(0, len(whole), 1000)]
    wire.send(headers(1, parts[0], flags=frames.END_STREAM))
    for index, part in enumerate(parts[1:], 2):
        wire.send(frames.frame(frames.CONTINUATION, frames.END_HEADERS if index == len(parts) else 0, 1, part))
    assert wire.calls[1].ended
    assert ("x-long", "v" * 9000) in wire.calls[1].head.fields


def test_rfc7541_4_2_a_client_without_a_table_is_told_that_it_is_not_used() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: 0})
    pair.turn()
    for _ in range(2):
        stream_id = pair.open(end_stream=True)
        pair.wire.connection.outbox.answer(pair.wire.stream(stream_id), ANSWER, b"x", TRAILERS)
        pair.turn()
    assert len(pair.seen(h2.events.StreamEnded)) == 2


def test_6_9_windows_of_the_client_are_replenished_in_batches() -> None:
    options = Options(stream_window_bytes=65_535, connection_window_bytes=65_535)
    pair = Pair(options)
    stream_id = pair.open()
    for _ in range(100):
        pair.client.send_data(stream_id, bytes(10_000))
        pair.turn()
        pair.wire.connection.consumed(pair.wire.stream(stream_id), 10_000)
        pair.turn()
    assert len(pair.call(stream_id).content) == 1_000_000
    updates = [event for event in pair.seen(h2.events.WindowUpdated) if event.stream_id == stream_id]
    assert 20 <= len(updates) <= 31


def test_6_9_1_a_client_above_its_stream_window_is_stopped() -> None:
    options = Options(stream_window_bytes=65_535, connection_window_bytes=1 << 20)
    wire = Wire(options)
    sent = wire.send(headers(1), data(1, bytes(16_384)) * 4)
    assert (sent[-1].kind, sent[-1].code) == (frames.RST_STREAM, ErrorCode.FLOW_CONTROL_ERROR)


def test_6_9_1_padding_counts_and_is_given_back() -> None:
    wire = Wire(Options(stream_window_bytes=65_535, connection_window_bytes=65_535))
    sent = wire.send(headers(1), data(1, b"\xfa" + bytes(250), frames.PADDED) * 400)
    given = sum(
        int.from_bytes(frame.payload, "big") for frame in sent if frame.kind == frames.WINDOW_UPDATE and frame.stream_id == 1
    )
    assert given + wire.stream(1).uncredited == 251 * 400


def test_5_1_2_streams_above_the_limit_are_refused() -> None:
    wire = Wire(Options(max_concurrent_streams=2))
    sent = wire.send(headers(1), headers(3), headers(5))
    assert [(frame.stream_id, frame.code) for frame in sent] == [(5, ErrorCode.REFUSED_STREAM)]
    wire.send(frames.rst_stream(1, ErrorCode.CANCEL), headers(7))
    assert wire.calls[1].reset_code == ErrorCode.CANCEL
    assert set(wire.connection.streams) == {3, 7}


def test_new_calls_are_refused_while_answers_pile_up() -> None:
    wire = Wire(Options(max_queued_bytes=100_000))
    wire.send(request(1))
    wire.connection.outbox.answer(wire.stream(1), ANSWER, bytes(200_000), TRAILERS)
    sent = wire.send(request(3))
    assert (sent[-1].kind, sent[-1].code) == (frames.RST_STREAM, ErrorCode.REFUSED_STREAM)
    wire.send(frames.rst_stream(1, ErrorCode.CANCEL), request(5))
    assert wire.connection.outbox.queued == 0
    assert wire.calls[5].ended


def test_one_write_takes_no_more_from_the_queues_than_its_budget() -> None:
    wire = Wire()
    wire.send(frames.window_update(0, 1 << 30), frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1 << 30)]), headers(1))
    outbox = wire.connection.outbox
    outbox.data(wire.stream(1), bytes(3 * WRITE_BUDGET))
    sizes = []
    while wire.stream(1).queue is not None:
        sizes.append(len(outbox.take()))
        outbox.pump()
    assert max(sizes) < WRITE_BUDGET + 40_000
    assert wire.calls[1].drained_count == 1


def test_much_is_written_in_pieces_that_are_not_copied_again() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
    pair.client.increment_flow_control_window(1 << 24)
    pair.turn()
    stream_id = pair.open(end_stream=True)
    outbox, content = pair.wire.connection.outbox, random.Random(5).randbytes(MANY_BYTES)
    outbox.answer(pair.wire.stream(stream_id), ANSWER, content, TRAILERS)
    assert outbox.large
    pieces = outbox.take_pieces()
    assert all(piece.obj is content for piece in pieces if isinstance(piece, memoryview))
    pair.events += pair.client.receive_data(b"".join(pieces))
    assert pair.content(stream_id) == content
    assert outbox.take() == b""


def test_cve_2023_44487_rapid_reset_ends_the_connection() -> None:
    wire = Wire()
    for index in range(int(RESET_BURST) + 1):
        sent = wire.send(headers(2 * index + 1), frames.rst_stream(2 * index + 1, ErrorCode.CANCEL))
        if wire.connection.closed:
            break
    assert sent[-1].code == ErrorCode.ENHANCE_YOUR_CALM
    assert index == RESET_BURST


def test_clients_may_cancel_at_a_human_rate_for_ever() -> None:
    wire = Wire()
    for index in range(10_000):
        wire.send(headers(2 * index + 1), frames.rst_stream(2 * index + 1, ErrorCode.CANCEL))
        wire.clock.advance(0.01)
    assert not wire.connection.closed


def test_clients_may_leave_answered_streams_at_any_rate() -> None:
    wire = Wire()
    for index in range(2 * int(RESET_BURST)):
        stream_id = 2 * index + 1
        wire.send(headers(stream_id))
        wire.connection.outbox.headers(wire.stream(stream_id), ANSWER)
        wire.send(frames.rst_stream(stream_id, ErrorCode.CANCEL))
    assert not wire.connection.closed


def test_provoked_replies_that_nobody_reads_end_the_connection() -> None:
    wire = Wire(Options(max_concurrent_streams=1))
    wire.connection.outbox.congested = True
    for stream_id in range(1, 2 * MAX_UNSENT_REPLIES + 5, 2):
        wire.connection.receive_data(headers(stream_id))
        wire.connection.outbox.take()
    assert wire.connection.closed


def test_provoked_replies_that_are_read_do_no_harm() -> None:
    wire = Wire(Options(max_concurrent_streams=1))
    for stream_id in range(1, 2 * MAX_UNSENT_REPLIES + 5, 2):
        wire.send(headers(stream_id))
    assert not wire.connection.closed


def test_a_header_bomb_costs_references_and_no_memory() -> None:
    wire = Wire()
    entry = b"\x40\x01x\x7f" + bytes([(3900 - 127) & 0x7F | 0x80, (3900 - 127) >> 7]) + b"v" * 3900
    wire.send(headers(1, block() + entry + b"\xbe" * 12_000))
    assert wire.calls[1].head.oversized
    assert wire.connection._heads._heads == {}


def test_keepalive_pings_within_the_interval_are_struck() -> None:
    wire = Wire(Options(min_ping_interval_seconds=5.0))
    wire.send(request(1))
    for _ in range(10):
        wire.clock.advance(5.0)
        wire.send(frames.ping(bytes(8)))
    assert not wire.connection.closed
    for _ in range(3):
        wire.clock.advance(4.9)
        last = wire.send(frames.ping(bytes(8)))[-1]
    assert (last.code, last.payload[8:]) == (ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings")


def test_pings_are_free_while_the_server_sends() -> None:
    wire = Wire()
    wire.send(headers(1))
    for _ in range(50):
        wire.connection.outbox.data(wire.stream(1), b"x")
        wire.send(frames.ping(bytes(8)))
    assert not wire.connection.closed


def test_idle_clients_may_ping_only_if_permitted() -> None:
    wire = Wire(Options(permit_pings_without_calls=False))
    for _ in range(4):
        wire.clock.advance(60.0)
        wire.send(frames.ping(bytes(8)))
    assert wire.connection.closed


def test_6_8_drain_lets_streams_finish_and_refuses_new_ones() -> None:
    pair = Pair()
    first = pair.open(end_stream=True)
    wire = pair.wire
    wire.connection.drain()
    goaway, ping = wire.receive()
    assert (goaway.kind, int.from_bytes(goaway.payload[:4], "big"), goaway.code) == (frames.GOAWAY, frames.MAX_STREAM_ID, 0)
    crossing = wire.send(request(first + 2))
    assert crossing == []
    final = wire.send(frames.ping(ping.payload, ack=True))[-1]
    assert int.from_bytes(final.payload[:4], "big") == first + 2
    refused = wire.send(request(first + 4))[-1]
    assert (refused.kind, refused.code) == (frames.RST_STREAM, ErrorCode.REFUSED_STREAM)
    assert not wire.connection.drained
    for stream_id in (first, first + 2):
        wire.connection.outbox.answer(wire.stream(stream_id), ANSWER, b"x", TRAILERS)
    assert wire.connection.drained


def test_a_lost_connection_resets_every_call() -> None:
    wire = Wire()
    wire.send(headers(1), request(3))
    wire.connection.abandon(ErrorCode.CANCEL)
    assert [call.reset_code for call in wire.calls.values()] == [ErrorCode.CANCEL] * 2
    assert wire.connection.streams == {}


def test_an_early_end_tells_the_client_to_stop_sending() -> None:
    wire = Wire()
    wire.send(headers(1))
    wire.connection.outbox.headers(wire.stream(1), ANSWER, end_stream=True)
    end = wire.receive()[-1]
    assert (end.kind, end.code) == (frames.RST_STREAM, ErrorCode.NO_ERROR)


def test_equal_requests_share_one_head() -> None:
    pair = Pair()
    ids = [pair.open(end_stream=True) for _ in range(4)]
    heads = [pair.call(stream_id).head for stream_id in ids]
    assert heads[1] is heads[2] is heads[3]


@pytest.mark.parametrize("name", ["grpc-timeout", "traceparent", "tracestate"])
def test_requests_that_differ_in_what_is_their_own_share_one_head(name: str) -> None:
    pair = Pair()
    for number in range(4):
        stream_id = pair.client.get_next_available_stream_id()
        pair.client.send_headers(stream_id, [*REQUEST, (name, f"{number}S")], end_stream=True)
        pair.turn()
    calls = list(pair.wire.calls.values())
    assert len({id(call.head) for call in calls}) == 1
    assert [call.volatile for call in calls] == [((name, f"{number}S"),) for number in range(4)]
