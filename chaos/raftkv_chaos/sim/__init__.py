"""The very node code under virtual time, on one thread."""
