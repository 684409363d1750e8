"""Holds, combines, spills and merges encoded rows within a budget of memory.

Rule: never calls the program; what it combines with is handed to it.
"""
