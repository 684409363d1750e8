"""Minimises sum |D_i - mean| in two ways: by cutting a sequence, and by packing items into groups.

Rule: pure functions of numbers. What the numbers mean (bytes of objects, of buckets) does not belong here: the caller
knows it.
"""
