"""One attempt, from the plan to its commit: the loops that read records, call the program and write what it yields.

Rule: nothing that an attempt wrote counts before its commit record is created.
"""
