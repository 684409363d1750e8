"""Offers a run of this machine to somebody who asked a cluster, in vain, about a resource with its name."""

import os
from contextlib import suppress

from podreduce_operator.cli.local_runs.history import open_history
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.terminal import complain

__all__ = ["offer_local"]


def offer_local(name: str) -> None:
    """Say how a run of this machine is asked about, if there is one with the name."""
    wanted = name.rpartition("/")[2]
    with suppress(OSError):
        if any(wanted in {run.id, run.name} for run in open_history(os.environ).read()):
            complain(f"a run of this machine has that name: say {LOCAL}/{wanted} to ask about it")
