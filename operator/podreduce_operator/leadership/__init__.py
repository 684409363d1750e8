"""Which of several operators acts, and when that ends: the Lease, the election, the fence before every write.

Rule: the decisions (election, lease) are pure; elector and fence have the clock and the requests.
"""
