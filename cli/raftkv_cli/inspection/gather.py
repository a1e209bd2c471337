"""Connects to every member and asks what it knows: over gRPC, over HTTP, and what its certificate says.

    endpoints of the command line -> the list of members -> each member, at the endpoint given for it or else at its client URLs

A member that does not answer costs no more than the timeouts of the command line, and is a fact like any other.
"""

import asyncio
import socket
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

from raftkv.clock import unix_time
from raftkv.errors import RaftKVError
from raftkv.pb import rpc
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.scrape import Scrape
from raftkv_cli.session import Session

METRICS_TIMEOUT_S = 5.0


async def gather(session: Session, *, hashes: bool = True) -> ClusterFacts:
    """Everything, at about one moment; `hashes`: compare the members' data, too, which takes them some work."""
    given = await _ask_each(session, dict.fromkeys(session.settings.endpoint_list()))
    members = await _members(session)
    by_id = {facts.id: facts for facts in given if facts.status is not None}
    known = [replace(by_id[member.ID], member=member, name=_name(member)) for member in members if member.ID in by_id]
    missing = [member for member in members if member.ID not in by_id]
    elsewhere = {url: member for member in missing for url in list(member.clientURLs)[:1]}
    found = known + await _ask_each(session, elsewhere)
    found += [_silent(member) for member in missing if not member.clientURLs]
    if not members:
        found = list(given)
    found.sort(key=lambda facts: (facts.name, facts.endpoint))
    if hashes:
        found = await _with_hashes(session, found)
    return ClusterFacts(members=found, alarms=await _alarms(session), now_s=unix_time())


def _name(member: rpc.Member) -> str:
    return member.name or f"{member.ID:x}"


def _silent(member: rpc.Member) -> MemberFacts:
    return MemberFacts(name=_name(member), member=member, error="it has not started: no client URL is known")


async def _members(session: Session) -> Sequence[rpc.Member]:
    """The members, as any endpoint knows them: without a quorum as well."""
    with suppress(RaftKVError):
        async with session.client() as client:
            return (await client.members(linearizable=False)).members
    return ()


async def _alarms(session: Session) -> Sequence[rpc.AlarmMember]:
    with suppress(RaftKVError):
        async with session.client() as client:
            return (await client.alarms()).alarms
    return ()


async def _ask_each(session: Session, endpoints: "Mapping[str, rpc.Member | None]") -> list[MemberFacts]:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_ask(session, endpoint, member)) for endpoint, member in endpoints.items()]
    return [task.result() for task in asked]


async def _ask(session: Session, endpoint: str, member: rpc.Member | None) -> MemberFacts:
    name = _name(member) if member is not None else endpoint
    facts = MemberFacts(name=name, endpoint=endpoint, member=member)
    try:
        async with session.client(endpoint) as client:
            facts = replace(facts, status=await client.status(endpoint))
    except RaftKVError as error:
        return replace(facts, error=str(error))
    page = await asyncio.to_thread(_read_metrics, _url(session, endpoint), session)
    if page is not None:
        facts = replace(facts, metrics=page.scrape, clock_ahead_s=page.clock_ahead_s)
    if _url(session, endpoint).startswith("https:"):
        facts = replace(facts, certificate_ends=await asyncio.to_thread(_certificate_ends, endpoint, session))
    return facts


async def _with_hashes(session: Session, members: list[MemberFacts]) -> list[MemberFacts]:
    """At the newest revision that all of them have, so that they can be compared."""
    revisions = [facts.status.header.revision for facts in members if facts.status is not None]
    if len(revisions) < 2:
        return members
    revision = min(revisions)

    async def hashed(facts: MemberFacts) -> MemberFacts:
        if facts.status is None or facts.is_learner:
            return facts
        with suppress(RaftKVError):
            async with session.client(facts.endpoint) as client:
                return replace(facts, hashed=await client.hash_kv(facts.endpoint, revision=revision))
        return facts

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(hashed(facts)) for facts in members]
    return [task.result() for task in asked]


class _Page(NamedTuple):
    scrape: Scrape
    clock_ahead_s: float | None


def _url(session: Session, endpoint: str) -> str:
    settings = session.settings
    encrypted = settings.cacert or settings.cert or settings.insecure_skip_tls_verify or not settings.insecure_transport
    return endpoint if "://" in endpoint else f"{'https' if encrypted else 'http'}://{endpoint}"


def _read_metrics(url: str, session: Session) -> _Page | None:
    """The page, and what its date says about the member's clock; None where it cannot be had."""
    context = session.tls_context() if url.startswith("https:") else None
    timeout = min(session.settings.command_timeout, METRICS_TIMEOUT_S)
    began = unix_time()
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=timeout, context=context) as answer:  # noqa: S310 - http(s)
            text: bytes = answer.read()
            date = answer.headers.get("Date")
    except (OSError, HTTPException):
        return None
    return _Page(Scrape.parse(text.decode(errors="replace")), _clock_ahead(date, began, unix_time()))


def _clock_ahead(date: str | None, began: float, ended: float) -> float | None:
    """How far outside of our own interval the second lies that the header names; zero where it may be within."""
    if date is None:
        return None
    theirs = parsedate_to_datetime(date).timestamp()
    if theirs > ended:
        return theirs - ended
    return min(0.0, theirs + 1.0 - began)


def _certificate_ends(endpoint: str, session: Session) -> float | None:
    """When the certificate ends that is shown there, expired ones included: nothing is checked, and nothing sent."""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if session.settings.cert and session.settings.key:
        context.load_cert_chain(session.settings.cert, session.settings.key)
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), session.settings.dial_timeout) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as encrypted,
        ):
            shown = encrypted.getpeercert(binary_form=True)
    except OSError:
        return None
    if shown is None:
        return None
    from cryptography import x509  # noqa: PLC0415 (few have certificates, and it takes a while to load)

    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
