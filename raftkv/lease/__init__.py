"""Leases: grants that end when nobody renews them, and the keys that end with them."""
