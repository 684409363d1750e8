"""The operator as a process: kopf's handlers, settings, logs, health, sweeping, start and end.

Rule: wires the other packages together and decides nothing about a job. kopf is imported in `kopf_shell` alone.
"""
