"""What a tenant may have (docs/quotas.md)."""

from typing import ClassVar

from raftkv.errors.root import Code, RequestError


class QuotaExceededError(RequestError):
    """A quota of a prefix has no room for this (docs/quotas.md). `used` of `limit` are taken, and `more` would be."""

    code = Code.RESOURCE_EXHAUSTED
    START: ClassVar[str] = "raftkv: quota of prefix "

    def __init__(
        self,
        prefix: bytes | str,
        role: str = "",
        *,
        what: str = "",
        limit: int = 0,
        used: int = 0,
        more: int = 0,
        code: Code | None = None,
    ) -> None:
        """A client that is told so has a text, in place of the prefix, and nothing else."""
        if isinstance(prefix, str):
            super().__init__(prefix, code=code)
            return
        name = prefix.decode(errors="backslashreplace")
        bound = f", for role {role}," if role else ""
        super().__init__(
            f'{self.START}"{name}"{bound} exceeded: {used} of {limit} {what} are used, and {more} more would be', code=code
        )
        self.prefix, self.role, self.what = prefix, role, what
        self.limit, self.used, self.more = limit, used, more


class QuotaNotFoundError(RequestError):
    """There is no quota of this prefix and role."""

    code = Code.NOT_FOUND
    text = "raftkv: quota not found"


class TooManyQuotasError(RequestError):
    """There are as many quotas as there may be."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many quotas"
