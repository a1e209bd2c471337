"""Tokens that every node with the key can check by itself (RFC 7519): who the user is, as of which auth revision, until when.

    --auth-token jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m

The methods are those of etcd. With HS* the one secret is `priv-key`; with the others a node may have only `pub-key`: it honours
tokens and signs none. The algorithm is the configured one whatever a token's header says (RFC 8725, 3.1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import Algorithm, get_default_algorithms

from raftkv.auth.state import Author
from raftkv.config import parse_duration
from raftkv.errors import ConfigError, InvalidAuthTokenError, VerifyOnlyError

FLAG = "auth-token"
DEFAULT_TTL_S = 300.0
METHODS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA"),
)
_OPTIONS = {"pub-key", "priv-key", "sign-method", "ttl"}
_USER, _REVISION, _END = "username", "revision", "exp"
_OWN_CLAIMS_ONLY: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
"""The signature is checked; what it says about time is checked here, by the clock that was handed in."""


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """What --auth-token says, with the keys read."""

    method: str
    sign_key: Any
    """None: this node signs nothing."""
    verify_key: Any
    ttl_s: float = DEFAULT_TTL_S


class JwtTokens:
    """Signs and checks. `now` is the time of day: a token outlives the process that signed it."""

    def __init__(self, options: JwtOptions, now: Callable[[], float]) -> None:
        self._options = options
        self._now = now

    def sign(self, author: Author) -> str:
        """A token for an author.

        Raises:
            VerifyOnlyError: this node has no private key.
        """
        options = self._options
        if options.sign_key is None:
            raise VerifyOnlyError
        claims = {_USER: author.user, _REVISION: author.revision, _END: self._now() + options.ttl_s}
        return jwt.encode(claims, options.sign_key, algorithm=options.method)

    def author(self, token: str, *, revision: int, applied: int) -> Author:  # noqa: ARG002 - Identifier's signature
        """As Identifier; the revision is the token's own, so any change of users or roles makes it old."""
        options = self._options
        try:
            claims = jwt.decode(token, options.verify_key, algorithms=[options.method], options=_OWN_CLAIMS_ONLY)
        except jwt.InvalidTokenError:
            raise InvalidAuthTokenError from None
        user, known, end = (claims.get(name) for name in (_USER, _REVISION, _END))
        if not isinstance(user, str) or not isinstance(known, int) or not isinstance(end, int | float):
            raise InvalidAuthTokenError
        if not user or known < 1 or end <= self._now():
            raise InvalidAuthTokenError
        return Author(user, int(known))


def jwt_options(text: str) -> JwtOptions:
    """From `sign-method=...,pub-key=...,...`, what follows `jwt,` in --auth-token.

    Raises:
        ConfigError: an option is unknown, missing or wrong, or a file holds no key for the method.
    """
    options = _parse(text)
    method = options.get("sign-method", "")
    if method not in METHODS:
        raise ConfigError(f"--{FLAG}: sign-method {method!r} is not one of {', '.join(METHODS)}")
    algorithm = get_default_algorithms()[method]
    private = _read(options, "priv-key")
    public = _read(options, "pub-key")
    ttl_s = parse_duration(options["ttl"], FLAG) if "ttl" in options else DEFAULT_TTL_S
    if method.startswith("HS"):
        if private is None:
            raise ConfigError(f"--{FLAG}: {method} needs its secret as priv-key")
        return JwtOptions(method, private, private, ttl_s)
    try:
        return _with_pair(method, algorithm, private, public, ttl_s)
    except (ValueError, TypeError, jwt.InvalidKeyError) as error:
        raise ConfigError(f"--{FLAG}: a file holds no key for {method} in PEM form") from error


def _with_pair(method: str, algorithm: Algorithm, private: bytes | None, public: bytes | None, ttl_s: float) -> JwtOptions:
    """The keys, parsed once, and tried where both are there: a mismatch would make every token invalid."""
    sign: Any = None if private is None else load_pem_private_key(private, None)
    if public is not None:
        verify: Any = load_pem_public_key(public)
    elif sign is not None:
        verify = sign.public_key()
    else:
        raise ConfigError(f"--{FLAG}: {method} needs pub-key or priv-key")
    algorithm.prepare_key(verify)
    if sign is not None:
        signature = algorithm.sign(b"probe", algorithm.prepare_key(sign))
        if not algorithm.verify(b"probe", algorithm.prepare_key(verify), signature):
            raise ConfigError(f"--{FLAG}: pub-key does not belong to priv-key")
    return JwtOptions(method, sign, verify, ttl_s)


def _parse(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in text.split(","):
        name, equals, value = item.partition("=")
        if not equals or name not in _OPTIONS or name in options:
            raise ConfigError(f"--{FLAG}: {item!r} is not one of {', '.join(sorted(_OPTIONS))}, each once, as name=value")
        options[name] = value
    return options


def _read(options: dict[str, str], name: str) -> bytes | None:
    if name not in options:
        return None
    try:
        return Path(options[name]).read_bytes()
    except OSError as error:
        raise ConfigError(f"--{FLAG}: {name}: {error}") from error
