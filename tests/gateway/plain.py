"""The plainest HTTP client: it adds nothing, so both servers get the same bytes."""

import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

Json = dict[str, Any]


class Answer(NamedTuple):
    """What came back."""

    status: int
    kind: str
    """The content type."""
    body: str

    @property
    def json(self) -> Json:
        parsed: Json = json.loads(self.body)
        return parsed


class Plain:
    """One connection to one server."""

    def __init__(self, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(endpoint, timeout=20)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read().decode())

    def post(self, path: str, body: str | bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", path, body.encode() if isinstance(body, str) else body, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
