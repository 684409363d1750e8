"""Encoded rows: held in memory within a budget, combined, spilled and merged.

Rule: never calls the program itself; the combiner is passed in as a function. Formats and stores do not
belong here.
"""
