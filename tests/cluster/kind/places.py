"""Where the engine keeps things, and the names by which the machine knows them.

Rule: no name starts with the harness's prefix, since the harness removes what carries it.
"""

from pathlib import Path

from tests.cluster.build import KUBERNETES_VERSION
from tests.cluster.processes import Ledger

STATE = Path("/run/kind-of-podreduce")
"""Process records, the KUBECONFIG, and what is to be given back."""

DATA = Path("/var/lib/kind-of-podreduce")
"""Programs and settings, the engine's images, logs and socket: all that it sees too, which has a /run of its own."""

SOCKET = DATA / "docker.sock"
CGROUP = "kind-of-podreduce"
LEDGER = Ledger(records=STATE / "processes", logs=DATA / "logs")

NODE_IMAGE = f"podreduce-tests/kind-node:{KUBERNETES_VERSION}"
POD_SUBNET = "10.245.0.0/16"
SERVICE_SUBNET = "10.97.0.0/16"
"""Other ranges than the harness's, so that both clusters can run side by side."""
