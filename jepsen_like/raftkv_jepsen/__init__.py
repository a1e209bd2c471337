"""Histories of operations and the checkers that judge them."""
