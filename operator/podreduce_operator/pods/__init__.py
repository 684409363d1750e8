"""Builds a pod's Kubernetes JSON from an attempt, and reads an attempt from a pod's JSON.

Rule: pure. The policy decides when a pod is created or deleted, and the cluster does it.
"""
