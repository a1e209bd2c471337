"""Chaos on real processes: clusters of raftkv or etcd under faults, their histories, and what the checkers say of them."""
