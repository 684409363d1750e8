"""How an attempt becomes a process: the command, the fork server, the turns of a pod that takes several tasks.

Rule: what an attempt does is the task's.
"""
