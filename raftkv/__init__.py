"""raftkv: a replicated coordination service for training clusters that speaks the etcd v3 API."""

__all__ = ["__version__"]

__version__ = "0.1.0"
