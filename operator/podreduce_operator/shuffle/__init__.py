"""Adds up what the maps' commit records say about their keys, and builds the shuffle manifest from it.

Rule: pure. Keys, their bytes and their hashes belong to the runtime.
"""
