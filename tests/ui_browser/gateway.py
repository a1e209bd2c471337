"""A client of the JSON gateway: what other clients do while somebody looks at the page."""

import base64
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Gateway:
    """One node."""

    def __init__(self, endpoint: str, token: str = "") -> None:
        self.endpoint = endpoint
        self._headers = {"Authorization": token} if token else {}

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The answer, or the error's."""
        sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = Request(f"http://{self.endpoint}{path}", data=json.dumps(body).encode(), headers=sent)
        try:
            with urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            return json.loads(error.read())

    def ask(self, question: str) -> Any:
        """What the dashboard answers."""
        with urlopen(Request(f"http://{self.endpoint}/ui/api/{question}", headers=self._headers), timeout=20) as answer:
            return json.loads(answer.read())

    def post_all(self, path: str, bodies: Iterable[Any]) -> list[Any]:
        """Many at once."""
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda body: self.post(path, body), bodies))

    def put(self, key: str | bytes, value: str | bytes, **more: Any) -> Any:
        return self.post("/v3/kv/put", {"key": b64(key), "value": b64(value), **more})

    def get(self, key: str | bytes) -> bytes | None:
        kvs = self.post("/v3/kv/range", {"key": b64(key)}).get("kvs")
        return base64.b64decode(kvs[0].get("value", "")) if kvs else None

    def lease(self, ttl: int = 3600) -> int:
        return int(self.post("/v3/lease/grant", {"TTL": ttl})["ID"])


def b64(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def for_url(data: str | bytes) -> str:
    """As the page's addresses have it."""
    return b64(data).replace("+", "-").replace("/", "_").rstrip("=")
