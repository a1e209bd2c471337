"""The environment's own part is tested everywhere, with a stand-in for JAX's base class; processes of JAX by `make test-jax`."""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

collect_ignore_glob = [] if find_spec("jax") else ["test_processes.py"]


class ClusterEnv:
    """Knows its subclasses, as that of JAX does."""

    _cluster_types: ClassVar[list[type["ClusterEnv"]]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._cluster_types.append(cls)


if find_spec("jax") is None:
    modules = {name: ModuleType(name) for name in ("jax", "jax._src", "jax._src.clusters")}
    modules["jax._src.clusters"].__dict__["ClusterEnv"] = ClusterEnv
    sys.modules.update(modules)
