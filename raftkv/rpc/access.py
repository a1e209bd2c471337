"""Who a caller is, and whether it may do what it asks for.

    metadata `token`, or `authorization` with or without "Bearer "  -> the user that it was issued to
    neither, and the transport vouches for a certificate            -> the user of its common name

A token goes before a certificate. The gateway hands on no certificate, and the mark of a foreign gateway voids it: what it
shows is its own, not its caller's (CVE-2018-16886).
"""

from typing import Any

from raftkv.auth.state import Author
from raftkv.auth.tokens import Identifier
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica

TOKEN = "token"  # noqa: S105 (a name, not a secret)
AUTHORIZATION = "authorization"
BEARER = "bearer "
FOREIGN_GATEWAY = "grpcgateway-accept"


class Access:
    """Asked about every call while authentication is on."""

    def __init__(self, replica: Replica, tokens: Identifier) -> None:
        self._auth = replica.machine.auth
        self._machine = replica.machine
        self._tokens = tokens

    def author(self, call: Call) -> Author | None:
        """Who calls, as of the present auth revision or the one that the token speaks of; None: nobody says.

        Raises:
            InvalidAuthTokenError: a token that is nobody's, or not yet known here (TokenNotAppliedError).
        """
        token = _token(call)
        if token is not None:
            return self._tokens.author(token, revision=self._auth.revision, applied=self._machine.applied_index)
        if call.identity and FOREIGN_GATEWAY not in call.metadata:
            return Author(call.identity, self._auth.revision)
        return None

    def current(self, call: Call) -> Author | None:
        """As `author`; spares the look at the token where nothing has changed since the call came in."""
        author = call.author
        if author is None or author.revision < self._auth.revision:
            author = call.author = self.author(call)
        return author

    def check(self, call: Call, request: Any) -> None:
        """Refuses a request for keys that its caller may not read or write, as of now; `request` as the client sent it.

        Raises:
            NotAllowedError: one of its kinds.
        """
        if self._auth.enabled:
            self._auth.check(self.current(call), request)

    def check_stream(self, call: Call, request: Any) -> None:
        """As `check`, for one of the requests of a long stream: who sends it is asked once, what it may do each time. To a user
        that still is who it was, the changes of others and the age of its token are nothing.
        """
        auth = self._auth
        if not auth.enabled:
            return
        author = call.author
        if author is None:
            author = self.author(call)
        elif author.revision < auth.revision:
            author = auth.still(author)
        call.author = author
        auth.check(author, request)


def _token(call: Call) -> str | None:
    metadata = call.metadata
    token = metadata.get(TOKEN)
    if token is None:
        token = metadata.get(AUTHORIZATION)
        if token is None:
            return None
    text = str(token)
    return text[len(BEARER) :] if text[: len(BEARER)].lower() == BEARER else text
