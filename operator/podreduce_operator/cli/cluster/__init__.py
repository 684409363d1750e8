"""The commands that ask a cluster about its jobs and schedules, or change them.

Rule: `connection` alone imports the Kubernetes client, and only when a command runs. What is shown is rendered by pure
modules; no command prints a Secret. What a job's status says is made by the operator (`policy/status`), not here.
"""
