"""The part of podreduce that runs inside every task: read a shard, map, shuffle, reduce, commit.

Rule: synchronous, and never imports the operator. A job's author imports nothing from here: a job is a plain class.
"""

__version__ = "0.1.0"
