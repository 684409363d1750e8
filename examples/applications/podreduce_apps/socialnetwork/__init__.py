"""Social network: who belongs together, who matters, and who reaches most people, from a list of edges.

Rule: what reads the whole graph uses numpy and pyarrow only and gives the same bytes for any number of shards. Vertices
are numbered 0 to n - 1 in the order of their names; weights are whole millionths, so that their sums are exact. What a
round needs of all vertices is a side input with a row for each; a task reads its own rows of the graph beside it.
"""
