"""Plants a mutant into the modules of raftkv while they are imported. For a fresh process that has imported none of them.

All of raftkv is loaded from source text then, also where it was compiled: compiled modules call each other without looking.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from raftkv_chaos.mutants.mutant import Mutant

PACKAGE = "raftkv"


class _EditedLoader(SourceFileLoader):
    """Compiles the edited text, and neither reads nor leaves compiled files."""

    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname)
        assert source is not None, f"{fullname} has no source"
        return compile(self._mutant.apply(fullname, source), self.path, "exec", dont_inherit=True)


class _Planter(MetaPathFinder):
    """Finds the modules of raftkv as source files, the mutant's own with its edits."""

    def __init__(self, mutant: Mutant | None) -> None:
        self._mutant = mutant
        self._modules = frozenset(mutant.modules) if mutant is not None else frozenset()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 (importlib hands it over)
    ) -> ModuleSpec | None:
        if not fullname.startswith(PACKAGE + ".") or path is None:
            return None
        for folder in path:
            file = Path(folder) / f"{fullname.rpartition('.')[2]}.py"
            if file.exists():
                return spec_from_file_location(fullname, file, loader=self._loader(fullname, str(file)))
        return None

    def _loader(self, fullname: str, file: str) -> SourceFileLoader:
        if self._mutant is not None and fullname in self._modules:
            return _EditedLoader(fullname, file, self._mutant)
        return SourceFileLoader(fullname, file)


def plant(mutant: Mutant | None) -> None:
    """From now on imports get the mutant; None: raftkv as it is, from source."""
    loaded = [name for name in sys.modules if name.startswith(PACKAGE + ".")]
    assert not loaded, f"too late to plant anything: {loaded[0]} is imported already"
    sys.meta_path.insert(0, _Planter(mutant))
