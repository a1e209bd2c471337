"""What is served can be found out, in both versions of the protocol."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from raftkv.pb import reflection, reflection_v1alpha
from tests.harness.cluster import Cluster

Ask = Callable[..., Any]


@pytest.fixture(params=[reflection, reflection_v1alpha], ids=["v1", "v1alpha"])
def ask(request: pytest.FixtureRequest, raftkv_node: Cluster) -> Iterator[Ask]:
    """One question, one answer."""
    pb = request.param
    path = f"/{pb.DESCRIPTOR.package}.ServerReflection/ServerReflectionInfo"
    with grpc.insecure_channel(raftkv_node.endpoints[0]) as channel:
        call: Any = channel.stream_stream(
            path, pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString
        )
        yield lambda **question: next(iter(call(iter([pb.ServerReflectionRequest(**question)]), timeout=10)))


def test_services_are_listed(ask: Ask) -> None:
    names = {service.name for service in ask(list_services="").list_services_response.service}
    assert {
        "etcdserverpb.KV",
        "etcdserverpb.Maintenance",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    } <= names


def test_a_symbol_comes_with_all_files_that_it_needs(ask: Ask) -> None:
    answer = ask(file_containing_symbol="etcdserverpb.KV")
    files = [FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto]
    names = {file.name for file in files}
    assert {name for file in files for name in file.dependency} <= names
    assert any(service.name == "KV" for file in files for service in file.service)


def test_what_is_unknown_is_an_error_in_the_answer(ask: Ask) -> None:
    assert ask(file_containing_symbol="no.such.Thing").error_response.error_code == 5
    assert ask(file_by_filename="no.proto").error_response.error_code == 5
