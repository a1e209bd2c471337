"""The data directory: for one user, and on disk before anything is put into it."""

import os
from pathlib import Path

from raftkv.errors import StorageError


def create_directory(path: Path) -> None:
    """Makes `path` for this user alone (0700), with its parents; each new name is on disk when this returns."""
    try:
        if path.is_dir():
            if path.stat().st_mode & 0o077:
                path.chmod(0o700)
            return
        if not path.parent.is_dir():
            create_directory(path.parent)
        path.mkdir(mode=0o700)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise StorageError(f"cannot create data directory {path}: {error.strerror}") from error
