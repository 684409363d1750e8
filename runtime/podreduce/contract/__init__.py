"""What the operator and the tasks agree on: records on the wire, object keys, environment, exit codes.

Rule: data and pure functions only; imports msgspec and the standard library, nothing of podreduce outside this package.
"""
