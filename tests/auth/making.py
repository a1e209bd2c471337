"""A state machine with users, in few words."""

from typing import Any

from raftkv.apply import Outcome
from raftkv.auth.state import Author
from raftkv.pb import rpc
from raftkv.pb.auth import Permission, UserAddOptions
from tests.apply.commands import Machine

ROOT = "root"


class AuthMachine(Machine):
    """Fed with commands of an author."""

    def do(self, author: Author | None = None, request_id: tuple[bytes, int] | None = None, **body: Any) -> Outcome:
        """Applies a command as an author's, or as nobody's."""
        said = {} if author is None else {"user": author.user, "auth_revision": author.revision}
        return self.apply(request_id=request_id, **said, **body)

    def as_(self, user: str) -> Author:
        """The user, as of now."""
        return Author(user, self.machine.auth.revision)

    def user(self, name: str, *roles: str) -> None:
        """Adds a user with roles."""
        root = self.as_(ROOT)
        self.must(root, user_add=rpc.AuthUserAddRequest(name=name, options=UserAddOptions(no_password=True)))
        for role in roles:
            self.must(root, user_grant_role=rpc.AuthUserGrantRoleRequest(user=name, role=role))

    def role(self, name: str, *grants: Permission) -> None:
        """Adds a role with permissions."""
        root = self.as_(ROOT)
        self.must(root, role_add=rpc.AuthRoleAddRequest(name=name))
        for grant in grants:
            self.must(root, role_grant_permission=rpc.AuthRoleGrantPermissionRequest(name=name, perm=grant))

    def enable(self) -> None:
        """Turns authentication on, with a root."""
        if ROOT not in self.machine.auth.users:
            self.user(ROOT, ROOT)
        self.must(self.as_(ROOT), auth_enable=rpc.AuthEnableRequest())

    def must(self, author: Author | None = None, **body: Any) -> Outcome:
        """As `do`, for what has to succeed."""
        outcome = self.do(author, **body)
        assert outcome.error is None, outcome.error
        return outcome


def grant(kind: "Permission.Type", key: bytes, range_end: bytes = b"") -> Permission:
    """One permission."""
    return Permission(permType=kind, key=key, range_end=range_end)


def cluster_of_three_users() -> AuthMachine:
    """root; rw, who may read and write [k, m); nobody, who may nothing; authentication is on."""
    machine = AuthMachine()
    machine.role("rw", grant(Permission.READWRITE, b"k", b"m"))
    machine.user("rw", "rw")
    machine.user("nobody")
    machine.enable()
    return machine
