"""Questions that are asked again and again, told as server-sent events (WHATWG HTML, 9.2).

    event: pulse     each second: this node, its leader, its revision. Silence means that the node or the way to it is gone
    event: <topic>   the answer, when it is another one than before
    event: trouble   the question failed: {"code", "message"}; the stream ends

A browser's EventSource can send no header, and a token must stand in no URL; so the page reads these streams with fetch, and
who reads one is asked again each second whether it still may. All streams go by one timer, and what is the same for all of
them is made once. A reader that does not collect what it is told is left after a while.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp.web import BaseRequest, StreamResponse

from raftkv.errors import InvalidArgumentError, RequestError, TooManyRequestsError
from raftkv.gateway.answers import UncollectedError, in_time
from raftkv.rpc.method import Call
from raftkv.ui.question import ANSWER_HEADERS, Gate, Json, Parameters, Question, error_response, to_json

INTERVAL_S: Final = 1.0
MAX_STREAMS: Final = 100
"""Of one node: each is a person who looks."""


class Live:
    """The streams of a node."""

    def __init__(self, gate: Gate, questions: Mapping[str, Question], pulse: Callable[[], Json]) -> None:
        """`pulse` is asked once for all streams."""
        self._gate = gate
        self._questions = questions
        self._pulse = pulse
        self._loop = asyncio.get_running_loop()
        self._streams = 0
        self._tick: asyncio.Future[None] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends all streams."""
        self._stopped = True
        self._ring()

    async def page(self, request: BaseRequest) -> StreamResponse:
        """The stream of one `topic`, asked with the rest of the query."""
        try:
            call = await self._gate.admit(request)
            question = self._questions.get(request.query.get("topic", ""))
            if question is None:
                raise InvalidArgumentError("raftkv: topics are " + ", ".join(sorted(self._questions)))
            if self._streams >= MAX_STREAMS:
                raise TooManyRequestsError
        except RequestError as error:
            return error_response(error)
        self._streams += 1
        try:
            return await self._stream(request, call, question)
        finally:
            self._streams -= 1

    async def _stream(self, request: BaseRequest, call: Call, question: Question) -> StreamResponse:
        response = StreamResponse(headers={**ANSWER_HEADERS, "Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        topic, parameters = request.query["topic"], Parameters(request.query)
        told = b""
        while not self._stopped:
            try:
                self._gate.recheck(call)
                answer = to_json(await question(call, parameters))
            except RequestError as error:
                trouble = {"code": int(error.code), "message": str(error)}
                await self._tell(request, response, event("trouble", to_json(trouble)))
                break
            news = event(topic, answer) if answer != told else b""
            told = answer
            await self._tell(request, response, event("pulse", to_json(self._pulse())) + news)
            await self._next_tick()
        await in_time(request, response.write_eof())
        return response

    async def _tell(self, request: BaseRequest, response: StreamResponse, events: bytes) -> None:
        if request.transport is None or request.transport.is_closing():
            raise UncollectedError  # nobody is there any more
        await in_time(request, response.write(events))

    async def _next_tick(self) -> None:
        """Returns at the end of the second, for all streams at once."""
        if self._tick is None or self._tick.done():
            self._tick = self._loop.create_future()
            self._loop.call_later(INTERVAL_S, self._ring)
        await asyncio.shield(self._tick)

    def _ring(self) -> None:
        if self._tick is not None and not self._tick.done():
            self._tick.set_result(None)


def event(name: str, data: bytes) -> bytes:
    """One event. JSON in ASCII has no line ends, so its data is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
