"""Tests with torchft's own clients: `make test-torch`, in an environment of their own. Elsewhere they are no tests."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torchft") else ["test_*.py"]
