"""A Kubernetes cluster: requests to the API server, watches, caches, events, progress reports.

Rule: only this package and leadership talk to the API server. Other packages decide what to ask.
"""
