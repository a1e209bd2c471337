"""grpc.reflection, v1 and v1alpha: what is served here, for grpcurl and its kind. Both versions have the same messages."""

from collections.abc import AsyncIterator, Iterable
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from raftkv.errors import Code
from raftkv.pb import reflection, reflection_v1alpha
from raftkv.pb.pool import POOL
from raftkv.rpc.method import Call, Kind, Method


class Reflection:
    """The service, in one version."""

    def __init__(self, version: ModuleType, services: Iterable[str]) -> None:
        self._pb: Any = version
        self._services = sorted(services)

    def methods(self) -> list[Method]:
        """What it offers."""
        pb = self._pb
        name = pb.DESCRIPTOR.services_by_name["ServerReflection"].full_name
        return [
            Method(
                f"/{name}/ServerReflectionInfo",
                Kind.BIDI,
                pb.ServerReflectionRequest,
                pb.ServerReflectionResponse,
                self.info,
            )
        ]

    async def info(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:  # noqa: ARG002 (a handler's shape)
        """Answers each question."""
        async for request in requests:
            response = self._pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
            try:
                self._answer(request, response)
            except KeyError as error:
                response.error_response.error_code = Code.NOT_FOUND
                response.error_response.error_message = str(error.args[0])
            yield response

    def _answer(self, request: Any, response: Any) -> None:
        match request.WhichOneof("message_request"):
            case "list_services":
                response.list_services_response.service.extend(self._pb.ServiceResponse(name=name) for name in self._services)
            case "file_by_filename":
                self._add_file(POOL.FindFileByName(request.file_by_filename), response)
            case "file_containing_symbol":
                self._add_file(POOL.FindFileContainingSymbol(request.file_containing_symbol), response)
            case "all_extension_numbers_of_type":
                response.all_extension_numbers_response.base_type_name = request.all_extension_numbers_of_type
            case other:
                raise KeyError(f"nothing here has {other}")

    def _add_file(self, file: FileDescriptor, response: Any) -> None:
        """The file and everything that it needs, so that one question is enough."""
        files: dict[str, bytes] = {}
        waiting = [file]
        while waiting:
            current = waiting.pop()
            if current.name not in files:
                files[current.name] = current.serialized_pb
                waiting.extend(current.dependencies)
        response.file_descriptor_response.file_descriptor_proto.extend(files.values())


def reflection_services(methods: Iterable[Method]) -> list[Method]:
    """Reflection of these methods' services, and of itself, in both versions."""
    versions = (reflection, reflection_v1alpha)
    names = {method.path.split("/")[1] for method in methods}
    names |= {version.DESCRIPTOR.services_by_name["ServerReflection"].full_name for version in versions}
    return [method for version in versions for method in Reflection(version, names).methods()]
