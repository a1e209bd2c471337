"""How quotas are printed: what is used of what is allowed."""

from collections.abc import Iterator
from dataclasses import dataclass

from raftkv.pb.quota import ListQuotasResponse, QuotaStatus
from raftkv_cli.formats.answers import Field, Style, Tabular
from raftkv_cli.formats.columns import columns
from raftkv_cli.formats.json_text import message_value

NAMES = ["PREFIX", "ROLE", "BYTES", "KEYS", "WATCHES", "REQUESTS/S", "REFUSED"]


def _row(status: QuotaStatus) -> list[str]:
    quota = status.quota

    def of(used: int, limit: str) -> str:
        return f"{used}/{getattr(quota, limit)}" if quota.HasField(limit) else str(used)

    return [
        quota.prefix.decode(errors="backslashreplace") or "(all keys)",
        quota.role or "-",
        of(status.used_bytes, "max_bytes"),
        of(status.used_keys, "max_keys"),
        of(status.watches, "max_watches") if quota.HasField("max_watches") else "-",
        str(quota.requests_per_second) if quota.HasField("requests_per_second") else "-",
        str(status.refused),
    ]


@dataclass(frozen=True, slots=True)
class OneQuota(Tabular):
    """One of them."""

    message: QuotaStatus

    def table(self) -> tuple[list[str], list[list[str]]]:
        return NAMES, [_row(self.message)]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        return columns([NAMES, _row(self.message)])

    def fields(self) -> Iterator[Field]:
        yield from zip(NAMES, _row(self.message), strict=True)

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Quotas(Tabular):
    """All of them."""

    message: ListQuotasResponse

    def table(self) -> tuple[list[str], list[list[str]]]:
        return NAMES, [_row(status) for status in self.message.quotas]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        for status in self.message.quotas:
            yield from OneQuota(status).fields()
            yield "", ""

    def value(self) -> object:
        return message_value(self.message)
