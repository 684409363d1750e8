"""The command line: `podreduce run`, `validate`, `version`; the loop of the operator on this machine.

Rule: nothing here decides anything about a job. What is slow to import is imported by the command that needs it.
"""
