"""A new directory lasts only if its name is synced into its parent."""

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from raftkv.storage.directory import create_directory


def find(seed: int) -> None:
    """Makes nested directories and notes which were synced."""
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        assert stat.S_ISDIR(status.st_mode), "a file was synced, not a directory"
        synced.append(status.st_ino)

    with TemporaryDirectory() as root, mock.patch("os.fsync", fsync):
        parents = [Path(root), *(Path(root, *"abc"[:depth]) for depth in range(1, 1 + seed % 3))]
        create_directory(parents[-1] / "data")
        expected = {parent.stat().st_ino for parent in parents}
        assert expected <= set(synced), "a name of a new directory was not synced into its parent"
