"""One run in the object store: its prefix, its records, its claim on the output, its publication and its removal.

Rule: each step may be repeated and interrupted anywhere. The policy decides whether a step is due.
"""
