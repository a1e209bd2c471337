"""grpc.health.v1.Health: whether this node serves. The one service it knows is the empty name, as in etcd."""

import asyncio
from collections.abc import AsyncIterator

from raftkv.errors import Code, RequestError
from raftkv.pb.health import HealthCheckRequest, HealthCheckResponse
from raftkv.rpc.method import Call, Kind, Method


class UnknownServiceError(RequestError):
    """The health of something that is not here."""

    code = Code.NOT_FOUND
    text = "unknown service"


class Health:
    """The service."""

    def __init__(self) -> None:
        self._status = HealthCheckResponse.SERVING
        self._changed = asyncio.Event()

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method("/grpc.health.v1.Health/Check", Kind.UNARY, HealthCheckRequest, HealthCheckResponse, self.check),
            Method("/grpc.health.v1.Health/Watch", Kind.SERVER_STREAM, HealthCheckRequest, HealthCheckResponse, self.watch),
        ]

    def stop_serving(self) -> None:
        """The node is draining: load balancers should look elsewhere."""
        self._status = HealthCheckResponse.NOT_SERVING
        self._changed.set()

    async def check(self, request: HealthCheckRequest, call: Call) -> HealthCheckResponse:  # noqa: ARG002 (a handler's shape)
        """The status now."""
        if request.service:
            raise UnknownServiceError
        return HealthCheckResponse(status=self._status)

    async def watch(
        self,
        request: HealthCheckRequest,
        call: Call,  # noqa: ARG002 (a handler's shape)
    ) -> AsyncIterator[HealthCheckResponse]:
        """The status now and at every change; an unknown service may still come, so the stream stays open (health.proto)."""
        if request.service:
            yield HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
            await asyncio.Event().wait()
        yield HealthCheckResponse(status=self._status)
        if self._status == HealthCheckResponse.SERVING:
            await self._changed.wait()
            yield HealthCheckResponse(status=self._status)
        await asyncio.Event().wait()
