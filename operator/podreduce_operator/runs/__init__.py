"""One run in the object store: its place, its records, its claim on the output, its publication and its removal.

Rule: each step may be repeated and interrupted anywhere. Whether a step is due is the policy's to say.
"""
