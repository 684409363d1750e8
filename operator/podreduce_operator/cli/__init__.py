"""The command line, and `podreduce.run` in Python. It runs the operator's loop on this machine.

Rule: nothing here decides anything about a job. Slow imports are in the command that needs them.
"""
