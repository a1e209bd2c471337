"""The command `raftkv-chaos`: chaos in the simulator (`sim`), on real processes (`run`), and with planted bugs (`mutants`)."""

import sys

import click

from raftkv_chaos.live.command import run
from raftkv_chaos.mutants.command import mutants
from raftkv_chaos.sim.command import sim


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Inject faults, and prove that promises hold under them."""


cli.add_command(run)
cli.add_command(sim)
cli.add_command(mutants)


def main() -> None:
    """Runs the command line of this process and exits."""
    cli.main(sys.argv[1:], prog_name="raftkv-chaos")


if __name__ == "__main__":
    main()
