"""`raftkv version`: ours, and that of the API spoken."""

import click

from raftkv import __version__
from raftkv_cli.command import Command

API_VERSION = "3.5"
VERSION_TEXT = f"raftkv version: {__version__}\nAPI version: {API_VERSION}"


@click.command("version", cls=Command, tabular=True, examples="raftkv version")
def version() -> None:
    """Print the version."""
    click.echo(VERSION_TEXT)
