"""Makes raftkv/pb from the .proto files beside this script: `python proto/generate.py [OUTPUT_FOLDER]`.

protoc's own Python output registers in the default descriptor pool, where it collides with every other etcd client in the
process, and refuses runtimes older than itself. So only protoc's descriptors and type stubs are used; raftkv/pb/pool.py
makes the classes, in a pool of our own.
"""

import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
STUB_IMPORT = re.compile(r"^from \w+ import (\w+)_pb2 as (_\w+)$", re.MULTILINE)
BYTES_PER_LINE = 48


def module_name(proto_file: str) -> str:
    """`etcd/rpc.proto` -> `rpc`, a module of raftkv.pb."""
    return Path(proto_file).stem


def compile_protos(into: Path) -> FileDescriptorSet:
    """Runs protoc over every file: stubs into `into`, descriptors as the answer (dependencies first)."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    descriptors = into / "all.descriptors"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--pyi_out={into}", f"--descriptor_set_out={descriptors}"]
    if protoc.main([*arguments, *sources]) != 0:
        sys.exit("protoc failed")
    return FileDescriptorSet.FromString(descriptors.read_bytes())


def code(file: FileDescriptorProto) -> str:
    """The module of one file: its serialized descriptor, loaded into our pool."""
    data = file.SerializeToString()
    lines = [f"    {data[i : i + BYTES_PER_LINE]!r}" for i in range(0, len(data), BYTES_PER_LINE)]
    needs = sorted(module_name(name) for name in file.dependency)
    imports = f"from raftkv.pb import {', '.join(needs)}\n" if needs else ""
    return (
        f'"""Generated from proto/{file.name} by proto/generate.py. Do not edit."""\n\n'
        f"{imports}from raftkv.pb.pool import load\n\n"
        "DESCRIPTOR = load(\n" + "\n".join(lines) + ",\n    globals(),\n)\n"
    )


def stub(text: str) -> str:
    """Protoc's stub, importing its neighbours from raftkv.pb."""
    return STUB_IMPORT.sub(r"from raftkv.pb import \1 as \2", text)


def main(output: Path) -> None:
    """Writes one module and one stub for each .proto file."""
    with tempfile.TemporaryDirectory() as scratch:
        for file in compile_protos(Path(scratch)).file:
            name = module_name(file.name)
            (output / f"{name}.py").write_text(code(file))
            pyi = Path(scratch) / file.name.replace(".proto", "_pb2.pyi")
            (output / f"{name}.pyi").write_text(stub(pyi.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTO.parent / "raftkv" / "pb")
