"""`raftkv completion`: the script that teaches a shell to complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from raftkv_cli.command import Command

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    cls=Command,
    tabular=True,
    examples="""
    source <(raftkv completion bash)
    raftkv completion zsh > "${fpath[1]}/_raftkv"
    raftkv completion fish > ~/.config/fish/completions/raftkv.fish
    """,
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for a shell."""
    script_class = get_completion_class(shell)
    assert script_class is not None
    script = script_class(context.find_root().command, {}, "raftkv", "_RAFTKV_COMPLETE")
    # source() would do the same, but for bash it first runs the local bash to look at its version.
    click.echo(script.source_template % script.source_vars())
