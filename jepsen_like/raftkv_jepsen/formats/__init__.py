"""Files to histories. What a file is, its content tells."""

from pathlib import Path

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.formats import jepsen
from raftkv_jepsen.history import History, pair, read_events

__all__ = ["parse", "read"]


def read(path: Path) -> History:
    """Reads a history in any of the formats that are known.

    Raises:
        HistoryError: the file cannot be read, or is no history.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror or error}") from error
    try:
        return parse(data.decode())
    except UnicodeDecodeError as error:
        raise HistoryError(f"{path}: not text") from error
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from error


def parse(text: str) -> History:
    """The history in a text.

    Raises:
        HistoryError: the text is no history.
    """
    if not text.strip():
        raise HistoryError("empty")
    if _is_json_lines(text):
        return pair(read_events(text))
    if jepsen.is_console_log(text):
        return jepsen.read_console_log(text)
    if jepsen.is_edn(text):
        return jepsen.read_edn(text)
    raise HistoryError("neither JSON lines, nor EDN, nor a console log of Jepsen")


def _is_json_lines(text: str) -> bool:
    """JSON's objects begin with a quoted name, EDN's with a keyword."""
    return text.lstrip().startswith("{") and text.lstrip()[1:].lstrip()[:1] in {'"', "", "}"}
