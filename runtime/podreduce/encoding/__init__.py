"""Keys, values, frames and blobs as bytes, in an order that is that of the keys.

Rule: pure: no program, no files, no requests, and no Arrow at import.
"""
