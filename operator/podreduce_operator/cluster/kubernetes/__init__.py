"""A Kubernetes cluster: requests to the API server, watches, caches, events, progress reports.

Rule: the one place (beside leadership) that talks to the API server. What to ask of it is decided elsewhere.
"""
