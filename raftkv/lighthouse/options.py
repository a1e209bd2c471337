"""How the quorums of a job are formed."""

import json
from dataclasses import dataclass, fields

from raftkv.errors import InvalidArgumentError

MAX_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class QuorumOptions:
    """Names and defaults are those of torchft's own lighthouse, which has no default for the first."""

    min_replicas: int = 1
    """Groups that a quorum needs."""
    join_timeout_ms: int = 60_000
    """How long groups that are alive and do not ask are waited for."""
    heartbeat_timeout_ms: int = 5_000
    """A group that was not heard of for so long is dead."""

    def check(self) -> None:
        """Raises InvalidArgumentError."""
        for name, low in (("min_replicas", 1), ("join_timeout_ms", 0), ("heartbeat_timeout_ms", 1)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= MAX_MS:
                raise InvalidArgumentError(f"raftkv: {name} is a whole number from {low} on, not {value!r}")


def parse_options(text: bytes) -> QuorumOptions:
    """What the key of the options holds: a JSON object; what it leaves out has its default.

    Raises:
        InvalidArgumentError: it holds something else.
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise InvalidArgumentError("raftkv: a lighthouse's options are a JSON object") from None
    names = {field.name for field in fields(QuorumOptions)}
    if not isinstance(found, dict) or not names.issuperset(found):
        raise InvalidArgumentError(f"raftkv: a lighthouse's options are a JSON object of {', '.join(sorted(names))}")
    options = QuorumOptions(**found)
    options.check()
    return options
