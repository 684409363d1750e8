"""What the maps' commit records say of their keys, added up, and the shuffle manifest that comes of it.

Rule: pure. The keys themselves, their bytes and hashes, are the runtime's.
"""
