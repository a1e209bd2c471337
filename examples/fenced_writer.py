"""A file that accepts no write of a former holder, whatever that believes: python fenced_writer.py ENDPOINTS

The file stands for a system outside of the cluster. It keeps the largest token that it saw, and refuses smaller ones.
"""

# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from raftkv.client import Client


class FencedFile:
    """What is protected: it checks the token itself, so no clock and no promise of a client has to be trusted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._largest = 0

    def write(self, text: str, token: int) -> bool:
        """Writes, unless a later holder has written; says whether it did."""
        if token < self._largest:
            return False
        self._largest = token
        self._path.write_text(text)
        return True


async def main(endpoints: str) -> None:
    with TemporaryDirectory() as directory:
        file = FencedFile(Path(directory) / "result")
        async with Client(endpoints) as first, Client(endpoints) as second:
            old = await first.lock("example/file").acquire()
            print("first holds:", file.write("from the first", old.token))
            await second.lease_revoke(old.lease)  # as if it had been silent for too long
            async with second.lock("example/file") as new:
                print("second holds:", file.write("from the second", new.token))
                print("first writes late:", file.write("from the first, late", old.token))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
