"""One method as the gateway serves it: how its messages are read and written."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from raftkv.gateway.json_text import first_value
from raftkv.gateway.paths import paths
from raftkv.gateway.reading import check as check_request
from raftkv.gateway.reading import plan_of
from raftkv.gateway.writing import check as check_answer
from raftkv.gateway.writing import to_json
from raftkv.rpc.method import Answer, Kind, Method

SERVED = (Kind.UNARY, Kind.SERVER_STREAM, Kind.BIDI)


class Route:
    """A method with its codec."""

    __slots__ = ("_plan", "method")

    def __init__(self, method: Method) -> None:
        """Raises TypeError for message types that JSON has no form for here."""
        self.method = method
        self._plan = plan_of(method.request.DESCRIPTOR)
        check_request(method.request)
        check_answer(method.response)

    def read(self, data: bytes) -> Message:
        """The request in a JSON text. Raises JsonError."""
        message = self.method.request()
        self._plan.fill(message, first_value(data))
        return message

    def write(self, answer: Answer) -> str:
        """An answer as JSON."""
        if isinstance(answer, list):
            answer = b"".join(answer)
        return to_json(self.method.response.FromString(answer) if isinstance(answer, bytes) else answer)


def routes(methods: Iterable[Method]) -> Mapping[str, Route]:
    """Every path of the gateway."""
    found: dict[str, Route] = {}
    for method in methods:
        places = paths(method.path) if method.kind in SERVED else ()
        if places:
            route = Route(method)
            for place in places:
                assert place not in found, f"two methods at {place}"
                found[place] = route
    return found
