"""The loop: observe, decide, apply, write the status. Each job has one loop, and many jobs run concurrently.

Rule: the only place that calls `decide`. It knows clusters only by their interface. What is due does not
belong here: `policy` says it.
"""
