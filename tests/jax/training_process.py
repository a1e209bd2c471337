"""A process of a JAX job: it adds up what all processes have, whenever it is told to, and says so; it ends when its input does.

A round that is over ends it at once, with exit code 75: whoever started it starts it again.
"""

import json
import os
import sys
import threading
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import multihost_utils

import raftkv.jax
from raftkv.errors import JobClosedError

AGAIN = 75


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def end_with_the_round() -> None:
    try:
        raftkv.jax.node().round_over()
    except JobClosedError:
        return
    os._exit(AGAIN)


def main() -> None:
    say(started=True)
    jax.distributed.initialize(cluster_detection_method="raftkv", initialization_timeout=60)
    threading.Thread(target=end_with_the_round, daemon=True).start()
    world = raftkv.jax.node().round
    assert world is not None
    say(process=jax.process_index(), count=jax.process_count(), round=world.number)
    for line in sys.stdin:
        mine = jnp.array([float(line) * (jax.process_index() + 1)])
        say(sum=float(multihost_utils.process_allgather(mine).sum()))


if __name__ == "__main__":
    main()
