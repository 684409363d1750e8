"""A cluster of processes on this machine: pods are processes, and a directory replaces the bucket.

Rule: needs neither a Kubernetes client nor the operator's settings. What a person sees of the processes belongs to
`cli`; which of them run, to `policy`.
"""
