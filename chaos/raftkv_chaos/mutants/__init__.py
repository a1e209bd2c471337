"""Planted bugs, one at a time, to see whether the checks find them. What is shipped has no trace of them.

catalogue/   which bugs: small named edits of the source text
planting.py  makes them while a module is imported, in a process of their own
finders/     what looks for them, by seed
hunt.py      one mutant, one finder after the other, seed after seed: what worker processes do
campaign.py  all mutants over some workers
table.py     what came out, as a page and as found.toml
"""
