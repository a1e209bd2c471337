"""Commands that run a program of the user's: `raftkv watch KEY -- PROGRAM ARGUMENTS`."""

from typing import Any

import click

from raftkv_cli.command import Command

_PROGRAM = "raftkv_cli.program"


class Wrapping(Command):
    """A command whose words after `--` are a program with its arguments, whatever they look like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, program = split_program(args)
        ctx.meta[_PROGRAM] = program
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PROGRAM [ARGUMENTS]...]"]


def split_program(words: list[Any]) -> tuple[list[Any], list[Any]]:
    """What stands before the first `--`, and what after it."""
    for end, word in enumerate(words):
        if word in {"--", b"--"}:
            return words[:end], words[end + 1 :]
    return words, []


def program_of(context: click.Context) -> list[str]:
    """The program to run, or nothing."""
    program: list[str] = context.meta[_PROGRAM]
    return program
