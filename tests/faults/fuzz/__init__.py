"""Real files of every kind that Thawline reads and somebody else may have written or damaged.

A module holds the readers of one trade; each is a function that makes whole files and what reads
one, which `tests.faults.fuzzing` finds by its name.
"""
