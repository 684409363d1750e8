"""Offers what is on this machine to somebody who asked a cluster, in vain, about a resource with its name."""

import os
from contextlib import suppress
from pathlib import Path

from podreduce_operator.cli.local_runs.history import open_history
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.terminal import complain

__all__ = ["offer_local"]


def offer_local(name: str) -> None:
    """Say how to ask about a run of this machine or a directory with the name; without a name, how to list runs."""
    wanted = name.rpartition("/")[2]
    with suppress(OSError):
        known = {known for run in open_history(os.environ).read() for known in (run.id, run.name)}
        if known and not name:
            complain(f"podreduce list {LOCAL} lists the runs of this machine, which need no cluster")
        if name and Path(name).is_dir():
            complain(f"a directory here has that name: say {name}/ to ask about an output in it")
        if wanted in known:
            complain(f"a run of this machine has that name: say {LOCAL}/{wanted} to ask about it")
