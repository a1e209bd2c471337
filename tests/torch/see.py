"""`python see.py VENV`: lets another environment of the same Python see the packages of this one."""

import sys
import sysconfig
from pathlib import Path


def main(environment: str) -> None:
    """What is installed in `environment` itself comes first."""
    here = Path(sysconfig.get_path("purelib"))
    there = environment / here.relative_to(sys.prefix)
    (there / "development.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")


if __name__ == "__main__":
    main(sys.argv[1])
