"""Merges sorted runs by blocks. Rule: values of a key keep the order of the runs."""
