"""The same methods under grpc.aio: what another server makes of them."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from raftkv.errors import RequestError
from raftkv.http2.calls import encoded
from raftkv.rpc.method import Answer, Call, Kind, Method


def generic_handler(methods: Iterable[Method]) -> grpc.GenericRpcHandler:
    """Methods as grpc.aio takes them."""
    handlers = {method.path: _handler(method) for method in methods}

    class Handlers(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return handlers.get(handler_call_details.method)

    return Handlers()


def _handler(method: Method) -> Any:
    make: dict[Kind, tuple[Callable[..., Any], Callable[..., Any]]] = {
        Kind.UNARY: (grpc.unary_unary_rpc_method_handler, _one),
        Kind.CLIENT_STREAM: (grpc.stream_unary_rpc_method_handler, _one),
        Kind.SERVER_STREAM: (grpc.unary_stream_rpc_method_handler, _many),
        Kind.BIDI: (grpc.stream_stream_rpc_method_handler, _many),
    }
    construct, behaviour = make[method.kind]
    return construct(behaviour(method), request_deserializer=method.request.FromString, response_serializer=_serialize)


def _serialize(answer: Answer) -> bytes:
    return encoded(answer)


def _call(method: Method, context: Any) -> Call:
    return Call(method.path, dict(context.invocation_metadata()), None, context.peer())


async def _abort(context: Any, error: RequestError) -> None:
    code = next(code for code in grpc.StatusCode if code.value[0] == error.code)
    await context.abort(code, str(error))


def _one(method: Method) -> Callable[..., Any]:
    async def behave(request: Any, context: Any) -> Answer | None:
        try:
            outcome: Any = method.handler(request, _call(method, context))
            answer: Answer = await outcome
        except RequestError as error:
            await _abort(context, error)
            return None
        return answer

    return behave


def _many(method: Method) -> Callable[..., Any]:
    async def behave(request: Any, context: Any) -> AsyncIterator[Answer]:
        answers: Any = method.handler(request, _call(method, context))
        try:
            async for answer in answers:
                yield answer
        except RequestError as error:
            await _abort(context, error)

    return behave
