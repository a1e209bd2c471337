"""Who the client is to the cluster: a user's name and password, and the token that stands for them meanwhile.

    no token --authenticate--> token --"invalid auth token", "revision of auth store is old", "user name is empty"--> no token

Those three refusals are made before anything is done, so the call is made again with a fresh token. However many calls meet
them at once, one authenticates for all. A cluster without authentication gives no token, and needs none.
"""

import asyncio
from collections.abc import Awaitable, Callable

from raftkv.client.channel import Metadata
from raftkv.errors import AuthOldRevisionError, InvalidAuthTokenError, RaftKVError, UserEmptyError

TOKEN_HEADER = b"token"
MAX_RENEWALS = 5
"""In one call: whoever is refused more often has another problem than an old token."""
RENEWABLE = (InvalidAuthTokenError, AuthOldRevisionError, UserEmptyError)


class Credentials:
    """Of one session."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self.password = password
        self._token: str | None = None
        self._authenticating = asyncio.Lock()

    async def metadata(self, authenticate: Callable[[], Awaitable[str]]) -> Metadata:
        """What a call has to say; `authenticate` answers a token, or nothing where there is no authentication."""
        if self._token is None:
            async with self._authenticating:
                if self._token is None:
                    self._token = await authenticate()
        return ((TOKEN_HEADER, self._token.encode()),) if self._token else ()

    def refused(self, failure: RaftKVError, said: Metadata) -> bool:
        """Whether another token may help a call that said `said`; it is then to be asked for again."""
        if not isinstance(failure, RENEWABLE):
            return False
        if self._token is None or said == (((TOKEN_HEADER, self._token.encode()),) if self._token else ()):
            self._token = None
        return True

    def forget(self) -> None:
        """The token is no good, whoever used it."""
        self._token = None
