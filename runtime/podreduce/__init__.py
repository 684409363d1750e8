"""The part of podreduce that runs inside every task: read a shard, map, shuffle, reduce, commit.

Rule: synchronous, and never imports the operator. Job authors need nothing from here either: a job is a plain class.
"""

__version__ = "0.1.0"
