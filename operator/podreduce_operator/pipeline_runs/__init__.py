"""What a pipeline has in the object store: the pinned run, the records of its steps, and their outputs.

Rule: each step may be repeated and interrupted anywhere. The policy decides whether it is due.
"""
