"""What to do about a job: `decide(observed, now)` and the rules it uses, one per module.

Rule: pure: no clock, no randomness, no system calls, no event loop, no client. Nothing is observed or carried out here.
"""
