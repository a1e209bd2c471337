"""Calls as spans: what is asked, how it ended, how long it took. Goes round a method's handler, where there is a recorder.

Streams are not recorded: they last for as long as their clients like.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from raftkv.reply import Reply
from raftkv.rpc.method import Answer, Call, Kind, Method
from raftkv.tracing import OpenSpan, Recorder, Sampling, current


def traced(method: Method, recorder: Recorder, sampling: Sampling) -> Method:
    """The method, with its calls recorded that are to be."""
    if method.kind is not Kind.UNARY:
        return method
    handler: Callable[[Any, Call], Any] = method.handler
    name = method.path[1:]
    service, _, function = name.partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": function}

    def handle(request: Any, call: Call) -> Any:
        recorded, parent = sampling.decide(call.metadata)
        if not recorded:
            return handler(request, call)
        span = recorder.begin(name, parent, attributes=attributes)
        token = current.set(span.context)
        try:
            outcome = handler(request, call)
        except BaseException as error:
            span.end(error)
            raise
        finally:
            current.reset(token)
        return _replied(outcome, span) if type(outcome) is Reply else _awaited(outcome, span)

    return replace(method, handler=handle)


def _replied(outcome: Reply[Answer], span: OpenSpan) -> Reply[Answer]:
    """Hands on what a reply gets; the span ends when the answer is on its way."""
    answer: Reply[Answer] = Reply()

    def settled(done: Reply[Answer]) -> None:
        error = done.exception()
        if not answer.done():
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)
        span.end(error)

    outcome.add_done_callback(settled)
    return answer


async def _awaited(outcome: Awaitable[Answer], span: OpenSpan) -> Answer:
    token = current.set(span.context)
    try:
        answer = await outcome
    except BaseException as error:
        span.end(error)
        raise
    finally:
        current.reset(token)
    span.end()
    return answer
