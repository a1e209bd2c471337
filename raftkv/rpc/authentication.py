"""What proves who a caller is on this node, made from its settings."""

from collections.abc import Callable
from dataclasses import dataclass

from raftkv.auth.passwords import DEFAULT_COST, Passwords
from raftkv.auth.tokens import DEFAULT_TTL_S, SimpleTokens
from raftkv.clock import Clock, unix_time
from raftkv.rpc.access import Access
from raftkv.rpc.auth import Issuer, LogIssuer, SigningIssuer
from raftkv.server.replica import Replica

SIMPLE, JWT = "simple", "jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthOptions:
    """The flags about it."""

    token: str = SIMPLE
    """`simple`, or `jwt,sign-method=...,...`."""
    token_ttl_s: float = DEFAULT_TTL_S
    """Seconds for which a simple token is good after its last use."""
    bcrypt_cost: int = DEFAULT_COST


@dataclass(frozen=True, slots=True)
class Authentication:
    """Three parts that go together: who asks, what it costs to prove it, and what stands for the proof afterwards."""

    access: Access
    passwords: Passwords
    issuer: Issuer


def authentication(
    replica: Replica, clock: Clock, options: AuthOptions, *, time_of_day: Callable[[], float] = unix_time
) -> Authentication:
    """Raises ConfigError: --auth-token says what cannot be, or its keys cannot be read."""
    passwords = Passwords(options.bcrypt_cost)
    kind, _, details = options.token.partition(",")
    if kind == JWT:
        from raftkv.auth.jwt_tokens import JwtTokens, jwt_options  # noqa: PLC0415 (few need it, and it takes a while to load)

        signed = JwtTokens(jwt_options(details), time_of_day)
        return Authentication(Access(replica, signed), passwords, SigningIssuer(replica, signed))
    assert options.token == SIMPLE, "checked with the other settings"
    simple = SimpleTokens(clock.now, options.token_ttl_s)
    replica.machine.auth.tokens = simple
    return Authentication(Access(replica, simple), passwords, LogIssuer(replica))
