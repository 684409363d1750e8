"""Decides which of several operators acts, and until when: the Lease, the election, and the fence before every write.

Rule: election and lease are pure. The elector and the fence have the clock and the requests. What the
leader does belongs to `loop`; `process` starts it.
"""
