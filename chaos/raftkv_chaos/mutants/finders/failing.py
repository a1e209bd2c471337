"""Disks that fail, and machines that lose power soon after: what was not noticed is lost then (fsyncgate)."""

from raftkv_chaos.mutants.finders.cluster import find_failing as find

__all__ = ["find"]
