"""Where the harness keeps things: a cache that outlives everything, and the running cluster's state.

Rule: no path of one machine; the cache is named by the environment. The state lies under /run, so that the records of
a cluster never outlive the machine's processes.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).resolve().parent

STATE = Path("/run/podreduce-cluster")
"""Process records, sockets, certificates and the KUBECONFIG of the cluster that runs now."""

DATA = Path("/var/lib/podreduce-cluster")
"""What needs a disk while the cluster runs: etcd, the image store, the kubelet's volumes, logs."""


def cache_directory() -> Path:
    """Return the directory of built tools and images: `PODREDUCE_CACHE`, else the user's cache."""
    if named := os.environ.get("PODREDUCE_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podreduce"
