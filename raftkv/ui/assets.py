"""The files that the page consists of, and the headers that keep it from being anything else.

The files are read once, and each is served at a path of its own: there is no path to be resolved, so none leads out of the
folder. Nothing is loaded from elsewhere, no script or style stands in a page, and the page's scripts cannot make markup of
text (`require-trusted-types-for`), whatever a key or a value contains.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp.web import BaseRequest, Response

from raftkv.gateway.gateway import Page

ROOT: Final = "/ui"
INDEX: Final = "index.html"

_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
SAFE_HEADERS: Final[Mapping[str, str]] = {
    "Server": "raftkv",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Asset:
    """One file."""

    def __init__(self, name: str, body: bytes) -> None:
        """Raises KeyError for a file of a kind that no page needs."""
        self._body = body
        self._tag = f'"{sha256(body).hexdigest()[:32]}"'
        kind = _TYPES[name[name.rindex(".") :]]
        self._headers = {**SAFE_HEADERS, "Content-Type": kind, "Cache-Control": "no-cache", "ETag": self._tag}

    async def answer(self, request: BaseRequest) -> Response:
        """The file, or that the browser has it already."""
        if self._tag in request.headers.get("If-None-Match", ""):
            return Response(status=HTTPStatus.NOT_MODIFIED, headers=self._headers)
        return Response(body=self._body, headers=self._headers)


async def _to_the_page(request: BaseRequest) -> Response:  # noqa: ARG001 (a page's shape)
    return Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={**SAFE_HEADERS, "Location": f"{ROOT}/"})


def asset_pages() -> Mapping[str, Page]:
    """Every file of the page, by its path."""
    assets = {name: Asset(name, body) for name, body in _files(files("raftkv.ui") / "static")}
    return {
        ROOT: _to_the_page,
        f"{ROOT}/": assets[INDEX].answer,
        **{f"{ROOT}/{name}": asset.answer for name, asset in assets.items()},
    }


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()
