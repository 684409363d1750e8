"""A pod as Kubernetes' JSON: made from an attempt, and read as one.

Rule: pure. When a pod is created or deleted is the policy's to say, and the cluster's to do.
"""
