"""The entry point of `raftkv`. It imports next to nothing, so that a Ctrl-C while modules load ends quietly as well.

0    done, or help was asked for
1    the request failed, or an endpoint is unhealthy
2    the command line, or what it was given, cannot be right
130  Ctrl-C
141  the reader of our output went away
"""

import os
import sys
from importlib import import_module

INTERRUPTED = 130
BROKEN_PIPE = 141


def main() -> None:
    """Runs the command line of this process and exits."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    try:
        code: int = import_module("raftkv_cli.root").invoke(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still in the buffer has no reader: let the interpreter flush it into nothing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


if __name__ == "__main__":
    main()
