"""Passwords from the terminal, where they are not shown, or from a pipe."""

import getpass
import sys

import click


def ask(prompt: str) -> str:
    """One line, asked for."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    click.echo(prompt)
    return next_line()


def ask_twice(user: str) -> str:
    """A new password of a user.

    Raises:
        click.UsageError: the two differ.
    """
    first = ask(f"Password of {user}: ")
    if ask(f"Type password of {user} again for confirmation: ") != first:
        raise click.UsageError("given passwords are different")
    return first


def next_line() -> str:
    """One line of stdin, without its end."""
    return sys.stdin.readline().rstrip("\r\n")
