"""The two places where pods run: a Kubernetes cluster, and processes on this machine. Neither knows the other."""
