"""The command `raftkv-chaos`: chaos in the simulator (`sim`), on real processes (`run`), and with planted bugs (`mutants`)."""

import sys

import click

from raftkv_chaos.live.command import run
from raftkv_chaos.mutants.command import mutants
from raftkv_chaos.sim.command import sim

INTERRUPTED = 2
"""Exit code: 1 would say that a promise was broken."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Inject faults, and prove that promises hold under them."""


cli.add_command(run)
cli.add_command(sim)
cli.add_command(mutants)


def main() -> None:
    """Runs the command line of this process and exits."""
    try:
        cli.main(sys.argv[1:], prog_name="raftkv-chaos", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("interrupted: nobody knows", err=True)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
