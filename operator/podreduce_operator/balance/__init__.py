"""Minimises sum |D_i - mean| in two ways: by cutting a sequence, and by packing items into groups.

Rule: pure functions of numbers. The caller knows what the numbers mean, such as bytes of objects or buckets.
"""
