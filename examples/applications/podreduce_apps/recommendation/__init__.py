"""Recommendation: from shop events to lists for every user, and to a report that says how good they are.

`pipeline.yaml` has the steps, in this order: `clean`, `times`, `split`, `items` and `core` (a loop), `similar`, `ease`,
`als` (a loop on the rows of `matrix`), `rank`, `rate`, `evaluate`, then the tables and the report.

Rule: a module is one job or one formula. What is large goes through numpy and pyarrow, a column at a time. All sums are
of whole numbers, or have a fixed order, so that shards change no digit. Only `split` looks at what is to be
predicted; counts, ids, decay, popularity and models come from the train part alone.
"""
