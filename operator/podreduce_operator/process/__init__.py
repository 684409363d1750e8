"""The operator as a process: kopf's handlers, settings, logs, health, sweeping, start and end.

Rule: connects the other packages and decides nothing about a job. Only `kopf_shell` imports kopf.
"""
