"""`podreduce replay`: one task of a run again, on this machine, with its exact input and program.

Rule: what a run has recorded is only read. A replay works in a directory of its own.
What a task does belongs to the runtime, whose `process/replay` is started here.
"""
