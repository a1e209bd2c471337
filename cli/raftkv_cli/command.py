"""What every command of `raftkv` has in common: the global options, flags that take `=true`, examples in its help."""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from raftkv_cli.global_options import GlobalOption, global_options, write_out_of

TRUTH = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class GoFlags(click.Command):
    """A command whose flags may be written `--prefix=true`, as Go's may."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [option for option in self.params if isinstance(option, click.Option) and option.is_flag]
        flags = {name: option for option in options for name in option.opts}
        return super().parse_args(ctx, _without_truth_values(flags, args))


class _Shared(GoFlags):
    """A command whose global options may stand after its name as well as before it, as etcdctl's may."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = cleandoc(examples)
        self.params.extend(global_options(from_environment=False))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        for title, is_global in (("Options", False), ("Global options", True)):
            records = [option.get_help_record(ctx) for option in options if isinstance(option, GlobalOption) == is_global]
            if shown := [record for record in records if record is not None]:
                with formatter.section(title):
                    formatter.write_dl(shown)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Command(_Shared):
    """A command at a leaf of the tree; `tabular` says whether `--write-out table` makes sense for it."""

    def __init__(self, *args: Any, tabular: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tabular = tabular

    def invoke(self, ctx: click.Context) -> Any:
        # Before the request, not after it as etcdctl does: who is told of an error must not wonder what was written.
        if write_out_of(ctx) == "table" and not self.tabular:
            raise click.UsageError("table not supported as output format", ctx)
        return super().invoke(ctx)


class Group(_Shared, click.Group):
    """A group of commands."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is imported when it is used: `module:attribute`, and its line in the list of commands."""

    target: str
    summary: str
    hidden: bool = False

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(Group):
    """The root: its commands stand in a table, and its global options also come from the environment."""

    def __init__(self, *args: Any, table: dict[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        self.params = [option for option in self.params if not isinstance(option, GlobalOption)]
        self.params.extend(global_options(from_environment=True))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, lazy in self.table.items() if not lazy.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        lazy = self.table.get(cmd_name)
        return lazy.load() if lazy else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.table and not args[0].startswith("-"):
            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            raise click.UsageError(f"no such command {args[0]!r}" + (f", did you mean {close[0]!r}?" if close else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table[name].summary) for name in self.list_commands(ctx)])


def _without_truth_values(flags: dict[str, click.Option], args: list[str]) -> list[str]:
    """`--prefix=true` reads as `--prefix`, and `--prefix=false` as its opposite or as nothing."""
    end = args.index("--") if "--" in args else len(args)
    plain: list[str] = []
    for argument in args[:end]:
        name, equals, value = argument.partition("=")
        if not equals or name not in flags or value.lower() not in TRUTH:
            plain.append(argument)
        elif TRUTH[value.lower()]:
            plain.append(name)
        else:
            plain.extend(flags[name].secondary_opts)
    return plain + args[end:]
