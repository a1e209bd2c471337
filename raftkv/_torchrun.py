"""What torchrun loads for `--rdzv-backend raftkv`: the entry point of the group `torchrun.handlers`.

torch loads it while its own rendezvous package is half imported, so nothing of torch may be imported here before it is called.
"""

from typing import Any


def get_handler() -> Any:
    """What makes a handler of torch's RendezvousParameters."""
    from raftkv.torch.handler import create_handler  # noqa: PLC0415  # see the head of the module

    return create_handler
