"""The one objective, min sum |D_i - mean|, in its two forms: cuts of a sequence, and packing of items into groups.

Rule: pure functions of numbers. What the numbers stand for (bytes of objects, of virtual buckets) is the caller's.
"""
