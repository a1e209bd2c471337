"""Faults, schedules and harnesses that run raftkv under them."""
