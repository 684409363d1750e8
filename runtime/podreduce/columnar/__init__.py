"""Arrow tables: held in memory within a budget, combined, sorted, spilled and merged; and values made into columns.

Rule: knows no program, no format and no store. Jobs on rows never import it, because it imports pyarrow.
"""
