"""The descriptor pool of raftkv's messages.

It is not protobuf's default pool: there, two libraries that both carry etcd's messages cannot be loaded into one
process (`TypeError: duplicate file name`), and a training job may well hold another etcd client.
"""

from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

POOL = DescriptorPool()


def load(serialized_file: bytes, namespace: dict[str, Any]) -> FileDescriptor:
    """Adds a file to the pool and its messages and enums to `namespace`, as protoc's own modules would."""
    POOL.AddSerializedFile(serialized_file)
    name = _file_name(serialized_file)
    file: FileDescriptor = POOL.FindFileByName(name)
    for message in file.message_types_by_name.values():
        namespace[message.name] = GetMessageClass(message)
    for enum in file.enum_types_by_name.values():
        namespace[enum.name] = EnumTypeWrapper(enum)
        namespace.update({value.name: value.number for value in enum.values})
    return file


def _file_name(serialized_file: bytes) -> str:
    """FileDescriptorProto.name is field 1 and comes first: tag, length, text."""
    length = serialized_file[1]
    return serialized_file[2 : 2 + length].decode()
