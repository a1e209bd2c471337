"""Users, roles, permissions, passwords and tokens."""

from raftkv.errors.root import Code, InvalidArgumentError, NotAllowedError, RequestError


class PermissionDeniedError(NotAllowedError):
    """The user may not do this."""

    code = Code.PERMISSION_DENIED
    text = "etcdserver: permission denied"


class UserEmptyError(NotAllowedError):
    """Authentication is on and the caller has not said who it is; or a user without a name."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: user name is empty"


class InvalidAuthTokenError(NotAllowedError):
    """The token is unknown, has expired or was revoked: authenticate again."""

    code = Code.UNAUTHENTICATED
    text = "etcdserver: invalid auth token"


class AuthOldRevisionError(NotAllowedError):
    """Users or roles have changed since the caller was identified: authenticate again."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: revision of auth store is old"


class AuthFailedError(NotAllowedError):
    """No such user, or not its password."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: authentication failed, invalid user ID or password"


class NoPasswordUserError(RequestError):
    """A user that has no password cannot authenticate with one, only by certificate."""

    text = "auth: authentication failed, password was given for no password user"


class AuthNotEnabledError(RequestError):
    """Authentication is off: there are no tokens."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: authentication is not enabled"


class RootUserNotExistError(RequestError):
    """Authentication cannot be turned on without a user root."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: root user does not exist"


class RootRoleNotExistError(RequestError):
    """Authentication cannot be turned on while root lacks the role root."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: root user does not have root role"


class UserAlreadyExistsError(RequestError):
    """There is a user of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: user name already exists"


class UserNotFoundError(RequestError):
    """There is no user of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: user name not found"


class RoleEmptyError(InvalidArgumentError):
    """A role needs a name."""

    text = "etcdserver: role name is empty"


class RoleAlreadyExistsError(RequestError):
    """There is a role of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role name already exists"


class RoleNotFoundError(RequestError):
    """There is no role of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role name not found"


class RoleNotGrantedError(RequestError):
    """The user does not have this role."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role is not granted to the user"


class PermissionNotGivenError(InvalidArgumentError):
    """A grant without a permission."""

    text = "etcdserver: permission not given"


class PermissionNotGrantedError(RequestError):
    """The role does not have this permission."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: permission is not granted to the role"


class InvalidAuthManagementError(InvalidArgumentError):
    """What would leave authentication on without its root, or a permission for no key."""

    text = "etcdserver: invalid auth management"


class VerifyOnlyError(RequestError):
    """This node has only the public key of --auth-token: it honours tokens and cannot sign them."""

    text = "auth: token signing attempted with verify-only key"
