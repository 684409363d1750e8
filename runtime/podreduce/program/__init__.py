"""Everything about the user's program: finding it, checking it, calling it, rewriting it, reporting its errors.

Rule: knows neither where records come from nor where pairs go.
"""
