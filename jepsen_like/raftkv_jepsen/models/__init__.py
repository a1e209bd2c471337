"""The sequential objects that histories are checked against."""

from raftkv_jepsen.models.append_kv import AppendKV
from raftkv_jepsen.models.etcd import EtcdModel
from raftkv_jepsen.models.model import Model
from raftkv_jepsen.models.mutex import Mutex
from raftkv_jepsen.models.register import CasRegister, Register
from raftkv_jepsen.models.set import SetModel

MODELS: dict[str, type[Model]] = {model.name: model for model in (Register, CasRegister, Mutex, AppendKV, SetModel)}
"""Those that need nothing beside the history."""

__all__ = ["MODELS", "AppendKV", "CasRegister", "EtcdModel", "Model", "Mutex", "Register", "SetModel"]
