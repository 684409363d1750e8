"""One attempt, from the plan to its commit: the loops that read records, call the program and write its pairs.

Rule: nothing that an attempt writes counts before its commit record is created. How bytes become records, and
how a function of the program is called, do not belong here: `inputs` and `program` have it.
"""
