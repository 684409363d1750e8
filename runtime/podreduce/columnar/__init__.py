"""Holds, sorts, spills and merges Arrow tables within a budget of memory.

Rule: knows no program, no format and no store. Jobs of rows never import it, since it imports pyarrow.
"""
