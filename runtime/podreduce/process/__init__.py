"""How an attempt becomes a process: the command, the fork server, the tasks of one pod in sequence.

Rule: what an attempt does is in the package `task`.
"""
