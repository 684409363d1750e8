"""When a MapReduceSchedule is due, and what it makes then.

Rule: pure. Times are seconds since the epoch; a time zone is known by its name. `policy` decides what is done about a
due time.
"""
