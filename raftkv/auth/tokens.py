"""Simple tokens: `<16 letters>.<index>`, good on every node for 300 seconds after their last use there.

    Authenticate -> password checked -> IssueToken in the log -> every node notes digest, user
                        letters stay on the node that was asked; the index is the log entry's

The log and the memory of the nodes hold only a digest of the letters: whoever reads them has no token. A node that is behind
knows from the index that the token is yet to come. Tokens are no replicated state: each node counts its own time, and one
that restarts or is brought up by a snapshot has forgotten them, whereupon clients authenticate again, as they do when a token
expires.
"""

import secrets
import string
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from raftkv.auth.state import Author
from raftkv.errors import InvalidAuthTokenError

LETTERS = 16
DEFAULT_TTL_S = 300
MAX_TOKENS = 100_000
"""Beyond, the one that was not used for longest is forgotten."""


class TokenNotAppliedError(InvalidAuthTokenError):
    """The token's entry is not applied here yet: it may be good in a moment."""


class Identifier(Protocol):
    """Tells whose a token is."""

    def author(self, token: str, *, revision: int, applied: int) -> Author:
        """The user and the auth revision that it speaks for, where the node has `revision` and `applied` the index.

        Raises:
            InvalidAuthTokenError: nobody's.
        """
        ...


class SimpleTokens:
    """The tokens that this node knows, by digest; the one that was used last is the last."""

    def __init__(self, now: Callable[[], float], ttl_s: float = DEFAULT_TTL_S, max_tokens: int = MAX_TOKENS) -> None:
        self._now = now
        self._ttl_s = ttl_s
        self._max_tokens = max_tokens
        self._known: OrderedDict[bytes, _Token] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    # --- told by the log --------------------------------------------------------------------------------------------

    def issue(self, digest: bytes, index: int, user: str) -> None:
        """A new token, of the log entry at `index`."""
        self._forget_expired()
        self._known[digest] = _Token(user, index, self._now())
        if len(self._known) > self._max_tokens:
            self._known.popitem(last=False)

    def revoke(self, user: str) -> None:
        """All tokens of a user are void."""
        for digest in [digest for digest, token in self._known.items() if token.user == user]:
            del self._known[digest]

    def revoke_all(self) -> None:
        """All tokens are void."""
        self._known.clear()

    # --- asked by calls ---------------------------------------------------------------------------------------------

    def author(self, token: str, *, revision: int, applied: int) -> Author:
        """As Identifier; the revision is the node's, for a simple token says nothing about it. It lives on from here."""
        letters, _, digits = token.partition(".")
        index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
        if len(letters) != LETTERS or not index:
            raise InvalidAuthTokenError
        digest = digest_of(letters)
        found = self._known.get(digest)
        now = self._now()
        if found is None or found.index != index or now - found.used_at > self._ttl_s:
            raise TokenNotAppliedError if index > applied else InvalidAuthTokenError
        found.used_at = now
        self._known.move_to_end(digest)
        return Author(found.user, revision)

    def _forget_expired(self) -> None:
        end = self._now() - self._ttl_s
        while self._known and next(iter(self._known.values())).used_at < end:
            self._known.popitem(last=False)


class _Token:
    __slots__ = ("index", "used_at", "user")

    def __init__(self, user: str, index: int, used_at: float) -> None:
        self.user = user
        self.index = index
        self.used_at = used_at


def new_letters() -> str:
    """A token's secret half: 91 bits."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(LETTERS))


def digest_of(letters: str) -> bytes:
    """What is kept of it."""
    return sha256(letters.encode()).digest()
