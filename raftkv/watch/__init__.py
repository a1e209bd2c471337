"""Watches: who wants to know of changes, and what each has been told."""
