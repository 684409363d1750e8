"""The cluster interface that the loop uses, and its two implementations: Kubernetes and local processes.

Rule: the implementations do not know each other, and neither decides what runs. Shared code is beside `interface`.
"""
