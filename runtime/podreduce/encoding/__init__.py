"""Keys, values, frames and blobs as bytes. The bytes of keys order as the keys do.

Rule: pure: no program, no files, no requests, and no Arrow at import.
"""
