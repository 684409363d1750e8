"""Where the benchmark's programs, data and results are."""

import os
import sys
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
BENCH: Final = CHECKOUT / "tests" / "bench"
JOBS: Final = BENCH / "jobs"
PEERS: Final = BENCH / "peers"
PODREDUCE: Final = Path(sys.executable).with_name("podreduce")
PEER_PYTHON: Final = CHECKOUT / ".venv-bench" / "bin" / "python"
"""The peers have an environment of their own: what they need must not change what podreduce runs with."""

RESULTS: Final = CHECKOUT / "bench-results"


def cache_directory() -> Path:
    """Return where generated data is kept from one benchmark to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podreduce" / "bench"
