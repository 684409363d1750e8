"""What the operator and the tasks agree on: records on the wire, object keys, environment, exit codes.

Rule: data and pure functions only, but for `own_versions`; imports msgspec, packaging and the standard library, nothing
of podreduce outside this package.
"""
