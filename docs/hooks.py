"""What the site has beyond the pages in this folder: the reference, made from the code, and the files that pages link to.

MkDocs calls the functions whose names begin with `on_` (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from importlib import resources
from pathlib import Path

import click
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from raftkv import client
from raftkv.config import ServerConfig
from raftkv_cli.root import raftkv

ROOT = Path(__file__).parents[1]
LINKED = ("examples", "deploy")  # folders whose files pages point to
SERVICE, METHOD = 6, 2  # field numbers in FileDescriptorProto and ServiceDescriptorProto: the way to a comment
RECIPES = ("raftkv.recipes.election.Leadership", "raftkv.recipes.held.Held", "raftkv.recipes.held.Token")
"""What the client's recipes hand out."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made: the reference, ARCHITECTURE.md and CHANGELOG.md as pages, examples and deployment files as they are."""
    pages = {
        "reference/cli.md": command_line(),
        "reference/configuration.md": configuration(),
        "reference/python.md": python_api(),
        "reference/grpc.md": services(),
        "architecture.md": (ROOT / "ARCHITECTURE.md").read_text().replace("](docs/", "]("),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text().replace("](docs/", "]("),
    }
    for folder in LINKED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                pages[str(path.relative_to(ROOT))] = path.read_text()
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Pages point out of this folder, so that their links work in the repository; on the site those files lie in it."""
    del config, files
    up = "../" * page.file.src_uri.count("/")
    return markdown.replace("](../ARCHITECTURE.md", f"]({up}architecture.md").replace("](../", f"]({up}")


def command_line() -> str:
    """Every command's --help."""
    return "# The command line\n\n" + "\n".join(_commands(raftkv, click.Context(raftkv, info_name="raftkv"), depth=2))


def _commands(command: click.Command, context: click.Context, *, depth: int) -> Iterator[str]:
    yield f"{'#' * min(depth, 4)} `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _commands(below, click.Context(below, info_name=name, parent=context), depth=depth + 1)


def configuration() -> str:
    """Every setting of a node, from the class that checks them."""
    lines = [
        "# Configuration",
        "",
        "Each setting is a flag of `raftkv serve`, an environment variable, and a key of the TOML file that `--config-file` names.",
        "Flags beat variables, and variables beat the file.",
        "",
        "| flag | variable | default | |",
        "|---|---|---|---|",
    ]
    for field in fields(ServerConfig):
        flag = field.name.replace("_", "-")
        default = f"`{field.default}`" if field.default not in {"", None} else ""
        text = str(field.metadata.get("help", "")).replace("|", "\\|")
        lines.append(f"| `--{flag}` | `RAFTKV_{field.name.upper()}` | {default} | {text} |")
    return "\n".join(lines) + "\n"


def python_api() -> str:
    """The public classes, from their docstrings."""
    classes = [name for name in client.__all__ if isinstance(getattr(client, name), type)]
    named = [*(f"raftkv.client.{name}" for name in ("Client", *sorted({*classes} - {"Client"}))), *RECIPES]
    body = "\n".join(f"::: {name}\n" for name in named)
    return f"# The Python API\n\nThe guide is [the Python client](../client.md); this is every method.\n\n{body}"


def services() -> str:
    """Every method of every service, with the comments of its .proto file and the fields of what it takes and gives."""
    files = _descriptors()
    messages = {f".{file.package}.{message.name}": message for file in files for message in file.message_type}
    parts = ["# gRPC services\n\nAll of them are on the client port. The same methods as JSON: [gateway](../gateway.md).\n"]
    parts += [part for file in files for part in _services(file, messages)]
    return "\n".join(parts)


def _descriptors() -> list[FileDescriptorProto]:
    proto = ROOT / "proto"
    with tempfile.TemporaryDirectory() as scratch:
        into = Path(scratch) / "descriptors"
        well_known = resources.files("grpc_tools") / "_proto"
        sources = sorted(str(path.relative_to(proto)) for path in proto.rglob("*.proto"))
        arguments = ["protoc", f"-I{proto}", f"-I{well_known}", f"--descriptor_set_out={into}", "--include_source_info"]
        if protoc.main([*arguments, *sources]) != 0:
            raise SystemExit("protoc failed")
        return list(FileDescriptorSet.FromString(into.read_bytes()).file)


def _services(file: FileDescriptorProto, messages: dict[str, DescriptorProto]) -> Iterator[str]:
    comments = {
        tuple(place.path): re.sub(r"\s+", " ", place.leading_comments).strip() for place in file.source_code_info.location
    }
    for number, service in enumerate(file.service):
        yield f"## {file.package}.{service.name}\n\n{comments.get((SERVICE, number), '')}\n"
        for place, method in enumerate(service.method):
            way = f"{'stream ' * method.client_streaming}{_short(method.input_type)}"
            back = f"{'stream ' * method.server_streaming}{_short(method.output_type)}"
            yield f"### {service.name}.{method.name}\n\n`{way}` → `{back}`\n"
            yield comments.get((SERVICE, number, METHOD, place), "") + "\n"
            yield from (_fields(messages[name]) for name in (method.input_type, method.output_type) if name in messages)


def _fields(message: DescriptorProto) -> str:
    rows = [f"| {field.number} | `{field.name}` | {_type(field)} |" for field in message.field]
    return "\n".join([f"`{message.name}`\n", "| | field | type |", "|---|---|---|", *rows, ""]) if rows else ""


def _type(field: FieldDescriptorProto) -> str:
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = _short(field.type_name) if field.type_name else plain
    return f"{'repeated ' * (field.label == FieldDescriptorProto.LABEL_REPEATED)}{name}"


def _short(name: str) -> str:
    return name.rpartition(".")[2]
