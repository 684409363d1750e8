"""When a MapReduceSchedule is due, and what the parameters of a scheduled run are.

Rule: pure. Times are seconds since the epoch; a time zone is known by its name. `policy` decides what is done about a
due time.
"""
