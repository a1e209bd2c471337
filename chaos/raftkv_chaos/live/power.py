"""What a power failure leaves of a data directory: of each file what was synced, and maybe some of what came after.

Where the journal of syncs (`preload.c`) does not know a file, nothing of it was promised. Files are known by their inodes, for they
are renamed. Only ends are lost: RocksDB, and whoever writes logs, appends. Names of files are kept, as file systems with a journal do.
"""

import os
from pathlib import Path
from random import Random

SECTOR = 512


def fail(data: Path, journal: Path, dice: Random) -> int:
    """Cuts the files of a server that was killed, and answers how many bytes that took. What is left counts as synced."""
    synced = _synced(journal)
    lost = 0
    share = dice.choice((0.0, 0.0, 1.0))  # mostly nothing more has reached the disk
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        facts = path.stat()
        kept = min(facts.st_size, synced.get(facts.st_ino, 0))
        loose = facts.st_size - kept
        if loose:
            kept += _survived(loose, share, dice)
            os.truncate(path, kept)
            lost += facts.st_size - kept
    _start_over(data, journal)
    return lost


def _survived(loose: int, share: float, dice: Random) -> int:
    """Of what was not synced, whole sectors may have reached the disk."""
    return min(loose, int(loose * share * dice.random()) // SECTOR * SECTOR)


def _synced(journal: Path) -> dict[int, int]:
    if not journal.exists():
        return {}
    synced: dict[int, int] = {}
    for line in journal.read_text().splitlines():
        inode, size = map(int, line.split())
        # Syncs of one file may overtake each other, and no file shrinks; but where one is gone, its inode may be another's.
        synced[inode] = 0 if size < 0 else max(size, synced.get(inode, 0))
    return synced


def _start_over(data: Path, journal: Path) -> None:
    facts = [path.stat() for path in data.rglob("*") if path.is_file()]
    journal.write_text("".join(f"{each.st_ino} {each.st_size}\n" for each in facts))
