"""A cluster of processes on this machine: pods are forked tasks, a directory stands in for a bucket.

Rule: needs no Kubernetes client, and none of the operator's settings.
"""
