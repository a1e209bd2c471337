"""`raftkv serve`: one node, in the foreground.

Every setting of raftkv.config.ServerConfig is a flag here, a variable RAFTKV_<NAME> and a key of the --config-file. A flag
beats a variable, a variable beats the file.
"""

import tomllib
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from raftkv.config import ServerConfig
from raftkv.errors import ConfigError, RaftKVError

EXAMPLES = """\b
Examples:
  # A single node with etcd's ports, data in ./default.raftkv
  raftkv serve
  # One of three
  raftkv serve --name a --data-dir /var/lib/raftkv \\
    --listen-client-urls http://10.0.0.1:2379 --listen-peer-urls http://10.0.0.1:2380 \\
    --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380
  # The same from a file
  raftkv serve --config-file raftkv.toml
"""


def _read_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Makes the keys of the file the defaults of the flags."""
    if path is None:
        return None
    try:
        settings = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"cannot read {path}: {error}", context, parameter) from error
    known = {field.name for field in fields(ServerConfig)}
    values = {key.replace("-", "_"): value for key, value in settings.items()}
    if unknown := sorted(values.keys() - known):
        raise click.BadParameter(f"{path}: unknown setting {', '.join(unknown)}", context, parameter)
    for key, value in values.items():
        if isinstance(value, dict | list):
            raise click.BadParameter(f"{path}: {key} must be one value", context, parameter)
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _option(field: "Field[Any]") -> Callable[[Any], Any]:
    names = (field.name.replace("_", "-"), *field.metadata["aliases"])
    return click.option(
        *(f"--{name}" for name in names),
        field.name,
        **_kind(field),
        default=field.default,
        show_default=field.default not in {"", None, False},
        envvar=f"RAFTKV_{field.name.upper()}",
        help=field.metadata["help"],
    )


def _kind(field: "Field[Any]") -> dict[str, Any]:
    """A switch may stand alone or say true or false, as in Go."""
    if field.type is bool:
        return {"type": bool, "is_flag": False, "flag_value": True, "metavar": "[BOOLEAN]"}
    if field.type in {int, float, str}:
        return {"type": field.type}
    directory = field.name.endswith("_dir")
    return {"type": click.Path(path_type=Path, file_okay=not directory, dir_okay=directory)}


@click.command(name="serve", epilog=EXAMPLES)
@click.option(
    "--config-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="RAFTKV_CONFIG_FILE",
    is_eager=True,
    expose_value=False,
    callback=_read_file,
    help="TOML file with the same settings; flags and variables beat it.",
)
def serve(**settings: Any) -> None:
    """Run one node of a cluster."""
    from raftkv.daemon import run  # noqa: PLC0415 (loading the server takes a while; --help should not)

    try:
        config = ServerConfig(**settings)
        run(config)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    except RaftKVError as error:
        raise click.ClickException(str(error)) from error


for _field in reversed(fields(ServerConfig)):
    serve = _option(_field)(serve)
