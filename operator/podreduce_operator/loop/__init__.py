"""The loop: observe, decide, apply, write the status; one job at a time, many jobs beside each other.

Rule: the one place that calls `decide`. It knows clusters only by their interface.
"""
