"""What a planted bug is: an edit of the source text, and who is expected to see it."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


class StaleEditError(Exception):
    """The source is no longer what an edit was written for."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In the source of `module` the fragment `old`, which stands there exactly once, becomes `new`."""

    module: str
    old: str
    new: str

    def apply(self, source: str) -> str:
        """The source with the bug in it.

        Raises:
            StaleEditError: the fragment is not there, or more than once.
        """
        count = source.count(self.old)
        if count != 1:
            raise StaleEditError(f"{self.module} has {count} times what is to be replaced:\n{self.old}")
        return source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    id: str
    """As in the literature it comes from (R: Raft, D: disk, K: keys, W: watch, L: lease, E: lock and election, O: overload, S: rights)
    or is our own (Q: quota, J: job, H: lighthouse); a letter behind it tells variants apart.
    """
    title: str
    edits: tuple[Edit, ...]
    finders: tuple[str, ...]
    """Who looks for it, in this order (raftkv_chaos.mutants.finders)."""
    equivalent: str = ""
    """Why nobody can find it, where that is so."""

    @property
    def modules(self) -> Iterator[str]:
        """The modules that it changes, each once."""
        return iter(dict.fromkeys(edit.module for edit in self.edits))

    def apply(self, module: str, source: str) -> str:
        """The source of a module with this bug in it. Raises StaleEditError."""
        for edit in self.edits:
            if edit.module == module:
                source = edit.apply(source)
        return source


@dataclass(frozen=True, slots=True)
class Impossible:
    """A bug of the catalogue that cannot be planted here, because there is no code that could have it."""

    id: str
    title: str
    reason: str


def source_of(module: str) -> Path:
    """Where the source text of a module is; nothing of it is executed but its packages.

    Raises:
        StaleEditError: there is no such module, or only a compiled one.
    """
    package, _, name = module.rpartition(".")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / f"{name}.py"
        if path.exists():
            return path
    raise StaleEditError(f"there is no source of {module}")
