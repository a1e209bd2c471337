"""Simple tokens, JWT and passwords, each by itself."""

import asyncio
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from raftkv.auth import passwords
from raftkv.auth.jwt_tokens import JwtTokens, jwt_options
from raftkv.auth.passwords import Passwords, PasswordTooLongError
from raftkv.auth.state import Author
from raftkv.auth.tokens import SimpleTokens, TokenNotAppliedError, digest_of, new_letters
from raftkv.clock import ManualClock
from raftkv.errors import ConfigError, InvalidAuthTokenError, TooManyRequestsError, VerifyOnlyError

LETTERS = "abcdefghijklmnop"
TOKEN = f"{LETTERS}.5"
AUTHOR = Author("alice", 9)


def tokens(clock: ManualClock, max_tokens: int = 10) -> SimpleTokens:
    known = SimpleTokens(clock.now, 300, max_tokens)
    known.issue(digest_of(LETTERS), 5, "alice")
    return known


# --- simple tokens


def test_token_has_sixteen_letters_that_nobody_guesses() -> None:
    drawn = {new_letters() for _ in range(100)}
    assert len(drawn) == 100
    assert all(len(letters) == 16 and letters.isascii() and letters.isalpha() for letters in drawn)


def test_token_names_its_user_at_the_nodes_revision() -> None:
    assert tokens(ManualClock()).author(TOKEN, revision=9, applied=5) == AUTHOR


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "abc",
        LETTERS,
        f"{LETTERS}.",
        f"{LETTERS}.x",
        f"{LETTERS}.4",
        f"{LETTERS}.5.5",
        "ABCDEFGHIJKLMNOP.5",
        f"{LETTERS}.²",
    ],
)
def test_anything_else_is_nobodys(text: str) -> None:
    with pytest.raises(InvalidAuthTokenError):
        tokens(ManualClock()).author(text, revision=9, applied=5)


def test_token_of_an_entry_that_is_yet_to_come_may_be_good_in_a_moment() -> None:
    with pytest.raises(TokenNotAppliedError):
        tokens(ManualClock()).author("ABCDEFGHIJKLMNOP.6", revision=9, applied=5)


def test_token_lives_on_with_each_use() -> None:
    clock = ManualClock()
    known = tokens(clock)
    for _ in range(5):
        clock.advance(299)
        known.author(TOKEN, revision=9, applied=5)
    clock.advance(301)
    with pytest.raises(InvalidAuthTokenError):
        known.author(TOKEN, revision=9, applied=5)


def test_expired_tokens_take_no_room() -> None:
    clock = ManualClock()
    known = tokens(clock)
    clock.advance(301)
    known.issue(digest_of("x" * 16), 6, "bob")
    assert len(known) == 1


def test_the_token_not_used_for_longest_gives_way() -> None:
    clock = ManualClock()
    known = tokens(clock, max_tokens=2)
    known.issue(digest_of("x" * 16), 6, "bob")
    known.author(TOKEN, revision=9, applied=6)
    known.issue(digest_of("y" * 16), 7, "carol")
    known.author(TOKEN, revision=9, applied=7)
    with pytest.raises(InvalidAuthTokenError):
        known.author(f"{'x' * 16}.6", revision=9, applied=7)


def test_revoked_tokens_are_void() -> None:
    known = tokens(ManualClock())
    known.revoke("bob")
    known.author(TOKEN, revision=9, applied=5)
    known.revoke("alice")
    with pytest.raises(InvalidAuthTokenError):
        known.author(TOKEN, revision=9, applied=5)


def test_memory_has_no_token_in_it() -> None:
    assert LETTERS not in repr([vars(tokens(ManualClock())), list(tokens(ManualClock())._known)])


# --- JWT


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key files: `<kind>.pem` and `<kind>.pub`, and a secret."""
    folder = tmp_path_factory.mktemp("keys")
    private: dict[str, Any] = {
        "RS": rsa.generate_private_key(65537, 2048),
        "other": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    for name, key in private.items():
        (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / f"{name}.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "secret").write_bytes(b"0123456789abcdef" * 4)
    return folder


def signer(keys: Path, method: str, now: Callable[[], float] = lambda: 1000.0, **options: str) -> JwtTokens:
    name = "RS" if method[:2] in {"RS", "PS"} else method
    parts = {"sign-method": method}
    if method.startswith("HS"):
        parts["priv-key"] = str(keys / "secret")
    else:
        parts |= {"priv-key": str(keys / f"{name}.pem"), "pub-key": str(keys / f"{name}.pub")}
    return JwtTokens(jwt_options(",".join(f"{name}={value}" for name, value in (parts | options).items())), now)


@pytest.mark.parametrize("method", ["RS256", "RS512", "PS256", "PS384", "ES256", "ES384", "HS256", "HS512", "EdDSA"])
def test_jwt_of_each_method_says_who_and_as_of_when(keys: Path, method: str) -> None:
    signed = signer(keys, method)
    token = signed.sign(AUTHOR)
    assert signed.author(token, revision=99, applied=1) == AUTHOR
    assert jwt.get_unverified_header(token)["alg"] == method


def test_jwt_expires(keys: Path) -> None:
    clock = ManualClock(1000.0)
    signed = signer(keys, "ES256", clock.now, ttl="10s")
    token = signed.sign(AUTHOR)
    clock.advance(9)
    signed.author(token, revision=9, applied=1)
    clock.advance(1)
    with pytest.raises(InvalidAuthTokenError):
        signed.author(token, revision=9, applied=1)


def test_jwt_of_another_key_or_method_or_form_is_nobodys(keys: Path) -> None:
    signed = signer(keys, "RS256")
    claims = {"username": "root", "revision": 9, "exp": 2000}
    foreign = [
        JwtTokens(jwt_options(f"sign-method=RS256,priv-key={keys / 'other.pem'}"), lambda: 1000.0).sign(AUTHOR),
        signer(keys, "PS256").sign(AUTHOR),
        jwt.encode(claims, "", algorithm="none"),
        jwt.api_jws.PyJWS().encode(b"[]", "0" * 64, algorithm="HS256"),
        "",
        "a.b.c",
        TOKEN,
    ]
    for text in foreign:
        with pytest.raises(InvalidAuthTokenError):
            signed.author(text, revision=9, applied=1)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"username": "root", "revision": 9},
        {"username": "root", "exp": 2000},
        {"revision": 9, "exp": 2000},
        {"username": "", "revision": 9, "exp": 2000},
        {"username": ["root"], "revision": 9, "exp": 2000},
        {"username": "root", "revision": "9", "exp": 2000},
        {"username": "root", "revision": 0, "exp": 2000},
        {"username": "root", "revision": 9, "exp": "2000"},
        {"username": "root", "revision": 9, "exp": None},
    ],
)
def test_jwt_with_claims_missing_or_strange_is_nobodys(keys: Path, claims: dict[str, object]) -> None:
    signed = signer(keys, "HS256")
    token = jwt.encode(claims, (keys / "secret").read_bytes(), algorithm="HS256")
    with pytest.raises(InvalidAuthTokenError):
        signed.author(token, revision=9, applied=1)


def test_node_with_the_public_key_alone_honours_and_does_not_sign(keys: Path) -> None:
    reader = JwtTokens(jwt_options(f"sign-method=ES256,pub-key={keys / 'ES256.pub'}"), lambda: 1000.0)
    assert reader.author(signer(keys, "ES256").sign(AUTHOR), revision=9, applied=1) == AUTHOR
    with pytest.raises(VerifyOnlyError):
        reader.sign(AUTHOR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sign-method=XS256",
        "sign-method=RS256",
        "sign-method=HS256",
        "sign-method=HS256,priv-key=/nowhere",
        "sign-method=RS256,priv-key={keys}/secret",
        "sign-method=RS256,priv-key={keys}/ES256.pem",
        "sign-method=ES256,priv-key={keys}/RS.pem",
        "sign-method=RS256,priv-key={keys}/RS.pem,pub-key={keys}/other.pub",
        "sign-method=HS256,priv-key={keys}/secret,ttl=soon",
        "sign-method=HS256,priv-key={keys}/secret,what=ever",
        "sign-method=HS256,sign-method=HS512,priv-key={keys}/secret",
    ],
)
def test_option_that_cannot_work_is_refused_at_the_start(keys: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="--auth-token"):
        jwt_options(text.format(keys=keys))


# --- passwords


async def test_password_is_right_for_its_hash_only() -> None:
    kept = Passwords(cost=4)
    hashed = b64decode(await kept.hash("secret"))
    assert hashed.startswith(b"$2b$04$")
    assert await kept.matches("secret", hashed)
    assert not await kept.matches("Secret", hashed)
    assert not await kept.matches("secret", b"")
    assert not await kept.matches("", b"")
    assert not await kept.matches("secret", b"no hash")
    kept.stop()


async def test_long_passwords_are_refused_when_made_and_wrong_when_checked() -> None:
    kept = Passwords(cost=4)
    with pytest.raises(PasswordTooLongError):
        await kept.hash("x" * 73)
    hashed = b64decode(await kept.hash("x" * 72))
    assert await kept.matches("x" * 72, hashed)
    assert not await kept.matches("x" * 71, hashed)
    assert not await kept.matches("x" * 73, hashed)
    kept.stop()


async def test_unknown_user_costs_a_whole_check_too(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []

    def check(secret: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", check)
    kept = Passwords(cost=4)
    await kept.matches("x", b"")
    await kept.matches("x", bcrypt.hashpw(b"y", bcrypt.gensalt(4)))
    assert [hashed[:7] for hashed in checked] == [b"$2b$04$", b"$2b$04$"]
    kept.stop()


async def test_queue_for_the_thread_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 2)
    kept = Passwords(cost=4)
    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(kept.hash("a")), tasks.create_task(kept.hash("b"))
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError):
            await kept.hash("c")
    assert first.result() != second.result()
    await kept.hash("d")
    kept.stop()
