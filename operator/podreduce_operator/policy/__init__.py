"""What to do about a job: `decide(observed, now)` and the rules that it rests on, one a module.

Rule: pure: no clock, no chance, no system, no event loop, no client. Nothing is carried out here, and nothing observed.
"""
