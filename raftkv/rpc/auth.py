"""etcdserverpb.Auth: users, roles, and tokens for passwords.

A password is hashed or checked here, beside the loop, and goes no further: what is proposed, kept and logged has at most its
hash.
"""

from collections.abc import Callable
from typing import Any, Protocol

import structlog

from raftkv.apply import command
from raftkv.apply.command import body
from raftkv.auth.passwords import Passwords
from raftkv.auth.state import Author, names
from raftkv.auth.tokens import digest_of, new_letters
from raftkv.errors import AuthFailedError, AuthNotEnabledError, AuthOldRevisionError, NoPasswordUserError
from raftkv.pb import rpc
from raftkv.pb.command import IssueToken
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.metadata import request_id
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.replica import Replica

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 10
"""How often users or roles may change while one password is being checked."""


class Issuer(Protocol):
    """Makes a token for a user whose password was right."""

    async def issue(self, author: Author) -> rpc.AuthenticateResponse:
        """Raises AuthOldRevisionError: users or roles have changed meanwhile."""
        ...


class LogIssuer:
    """Simple tokens: made known to all nodes through the log (`raftkv.auth.tokens`)."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def issue(self, author: Author) -> rpc.AuthenticateResponse:
        letters = new_letters()
        request = IssueToken(user=author.user, digest=digest_of(letters), auth_revision=author.revision)
        response: rpc.AuthenticateResponse = await self._replica.propose(body(command.ISSUE_TOKEN, request.SerializeToString()))
        response.token = f"{letters}.{response.token}"
        return response


class Signer(Protocol):
    """What signs a token by itself (`raftkv.auth.jwt_tokens`)."""

    def sign(self, author: Author) -> str: ...


class SigningIssuer:
    """Tokens that prove themselves: no node needs to be told."""

    def __init__(self, replica: Replica, signer: Signer) -> None:
        self._replica = replica
        self._signer = signer

    async def issue(self, author: Author) -> rpc.AuthenticateResponse:
        response = rpc.AuthenticateResponse(token=self._signer.sign(author))
        self._replica.fill(response.header)
        response.header.revision = self._replica.store.revision
        return response


_CHANGES: tuple[tuple[str, bytes], ...] = (
    ("AuthEnable", command.AUTH_ENABLE),
    ("AuthDisable", command.AUTH_DISABLE),
    ("UserDelete", command.USER_DELETE),
    ("UserGrantRole", command.USER_GRANT_ROLE),
    ("UserRevokeRole", command.USER_REVOKE_ROLE),
    ("RoleAdd", command.ROLE_ADD),
    ("RoleDelete", command.ROLE_DELETE),
    ("RoleGrantPermission", command.ROLE_GRANT_PERMISSION),
    ("RoleRevokePermission", command.ROLE_REVOKE_PERMISSION),
)
"""The methods that go through the log as they came."""


class AuthService:
    """The service."""

    def __init__(self, replica: Replica, access: Access, passwords: Passwords, issuer: Issuer) -> None:
        self._replica = replica
        self._auth = replica.machine.auth
        self._access = access
        self._passwords = passwords
        self._issuer = issuer

    def methods(self) -> list[Method]:
        """What it offers."""
        own: tuple[tuple[str, Callable[[Any, Call], Any]], ...] = (
            ("Authenticate", self.authenticate),
            ("AuthStatus", self.status),
            ("UserAdd", self.user_add),
            ("UserChangePassword", self.user_change_password),
            ("UserGet", self.user_get),
            ("UserList", self.user_list),
            ("RoleGet", self.role_get),
            ("RoleList", self.role_list),
        )
        return [_method(name, handler) for name, handler in own] + [
            _method(name, self._changing(tag)) for name, tag in _CHANGES
        ]

    # --- who is it --------------------------------------------------------------------------------------------------

    async def authenticate(self, request: rpc.AuthenticateRequest, call: Call) -> rpc.AuthenticateResponse:
        """A token for a password."""
        for _ in range(MAX_ATTEMPTS - 1):
            author = await self._authenticated(request, call)
            try:
                return await self._issuer.issue(author)
            except AuthOldRevisionError:
                continue
        return await self._issuer.issue(await self._authenticated(request, call))

    async def _authenticated(self, request: rpc.AuthenticateRequest, call: Call) -> Author:
        """The user, if it is the password, as of the auth revision at which that was so."""
        await self._replica.read(lambda: None)
        if not self._auth.enabled:
            raise AuthNotEnabledError
        user, revision = self._auth.users.get(request.name), self._auth.revision
        hashed = b"" if user is None else user.password
        if await self._passwords.matches(request.password, hashed):
            return Author(request.name, revision)
        log.warning("authentication failed", user=request.name, peer=call.peer)
        if user is not None and user.options.no_password:
            raise NoPasswordUserError
        raise AuthFailedError

    # --- changes ----------------------------------------------------------------------------------------------------

    def _changing(self, tag: bytes) -> Callable[[Any, Call], Reply[Any]]:
        def propose(_request: Any, call: Call) -> Reply[Any]:
            return self._replica.propose(body(tag, call.body), request_id(call.metadata), call.author)

        return propose

    async def user_add(self, request: rpc.AuthUserAddRequest, call: Call) -> rpc.AuthUserAddResponse:
        """Adds a user, with a password unless the request says that it has none."""
        hashed = "" if request.options.no_password else await self._passwords.hash(request.password)
        kept = rpc.AuthUserAddRequest(name=request.name, hashedPassword=hashed, options=request.options)
        response: rpc.AuthUserAddResponse = await self._propose(command.USER_ADD, kept, call)
        return response

    async def user_change_password(
        self, request: rpc.AuthUserChangePasswordRequest, call: Call
    ) -> rpc.AuthUserChangePasswordResponse:
        """Gives a user another password; its tokens are void."""
        kept = rpc.AuthUserChangePasswordRequest(name=request.name, hashedPassword=await self._passwords.hash(request.password))
        response: rpc.AuthUserChangePasswordResponse = await self._propose(command.USER_CHANGE_PASSWORD, kept, call)
        return response

    def _propose(self, tag: bytes, message: Any, call: Call) -> Reply[Any]:
        return self._replica.propose(body(tag, message.SerializeToString()), request_id(call.metadata), call.author)

    # --- questions --------------------------------------------------------------------------------------------------

    def status(self, _request: rpc.AuthStatusRequest, call: Call) -> Reply[Any]:
        """Whether authentication is on, and the auth revision."""
        auth = self._auth
        return self._look(call, lambda: rpc.AuthStatusResponse(enabled=auth.enabled, authRevision=auth.revision))

    def user_list(self, _request: rpc.AuthUserListRequest, call: Call) -> Reply[Any]:
        """The names of all users."""
        return self._look(call, lambda: rpc.AuthUserListResponse(users=names(self._auth.users)))

    def user_get(self, request: rpc.AuthUserGetRequest, call: Call) -> Reply[Any]:
        """A user's roles; a user may ask for its own."""
        return self._look(
            call,
            lambda: rpc.AuthUserGetResponse(roles=self._auth.user(request.name).roles),
            own=lambda user: user == request.name,
        )

    def role_list(self, _request: rpc.AuthRoleListRequest, call: Call) -> Reply[Any]:
        """The names of all roles."""
        return self._look(call, lambda: rpc.AuthRoleListResponse(roles=names(self._auth.roles)))

    def role_get(self, request: rpc.AuthRoleGetRequest, call: Call) -> Reply[Any]:
        """A role's permissions; a user may ask for those of its own roles."""
        return self._look(
            call,
            lambda: rpc.AuthRoleGetResponse(perm=self._auth.role(request.role).keyPermission),
            own=lambda user: self._has(user, request.role),
        )

    def _has(self, user: str, role: str) -> bool:
        known = self._auth.users.get(user)
        return known is not None and role in known.roles

    def _look(self, call: Call, work: Callable[[], Any], *, own: Callable[[str], bool] = lambda _user: False) -> Reply[Any]:
        """Answers with what `work` returns, as of now; to the role root, and to users of whom `own` says so."""

        def look() -> Any:
            if self._auth.enabled:
                author = self._access.current(call)
                if author is None or not own(author.user):
                    self._auth.check_root(author)
            response = work()
            self._replica.fill(response.header)
            response.header.revision = self._replica.store.revision
            return response

        return self._replica.read(look)


def _method(name: str, handler: Callable[[Any, Call], Any]) -> Method:
    stem = "Authenticate" if name == "Authenticate" else name if name.startswith("Auth") else f"Auth{name}"
    return Method(
        f"/etcdserverpb.Auth/{name}", Kind.UNARY, getattr(rpc, f"{stem}Request"), getattr(rpc, f"{stem}Response"), handler
    )
