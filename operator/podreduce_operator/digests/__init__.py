"""Digests of what an output follows from: the program's text, the spec, the input; and of the output itself.

Rule: pure, and stable: a digest changes only with what it is over, or with `DIGEST_VERSION`, never with a release.
What follows when a digest has changed does not belong here: `policy` and `pipelines` decide it.
"""
