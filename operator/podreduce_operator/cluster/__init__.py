"""The seam between the loop and what runs its pods: a Kubernetes cluster, or processes on this machine."""
