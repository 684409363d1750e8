"""Holds, sorts, spills and merges Arrow tables within a budget of memory.

Rule: the one package that imports pyarrow at its modules' top; jobs of rows never import it.
"""
