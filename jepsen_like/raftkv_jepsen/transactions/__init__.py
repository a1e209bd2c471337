"""Are transactions serializable? Cycles in the graph of what depends on what, after Elle (Kingsbury and Alvaro, 2020)."""

from raftkv_jepsen.transactions.list_append import check_list_append

__all__ = ["check_list_append"]
