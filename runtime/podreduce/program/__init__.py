"""All that knows that there is a user's program: it finds, checks, calls, rewrites and blames it.

Rule: where records come from and where pairs go is not known here.
"""
