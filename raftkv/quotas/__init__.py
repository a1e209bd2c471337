"""Quotas by prefix and role: what may be under a prefix (replicated, exact), and how much may be asked of a node (its own)."""

from raftkv.quotas.book import QuotaBook, Usage
from raftkv.quotas.prefixes import Prefixes, end_of

__all__ = ["Prefixes", "QuotaBook", "Usage", "end_of"]
