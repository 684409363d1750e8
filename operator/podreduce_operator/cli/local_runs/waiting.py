"""`podreduce wait local/NAME`: waits for the end of runs of this machine, which other processes work on."""

import time
from collections.abc import Sequence

from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.local_runs.showing import find_phase, find_run
from podreduce_operator.cli.terminal import say

__all__ = ["wait_for_runs"]

LOOK_SECONDS = 0.5
RUNNING, COMPLETE = "Running", "Complete"


def wait_for_runs(names: Sequence[str], timeout: float | None) -> CommandExit:
    """Wait until the runs have ended, in any way, and say how. A run that was killed has failed.

    Raises:
        CommandError: there is no such run, or the time is over.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    phases = [wait_for(f"{LOCAL}/{find_run(name).id}", deadline) for name in names]
    return CommandExit.DONE if set(phases) == {COMPLETE} else CommandExit.FAILED


def wait_for(name: str, deadline: float | None) -> str:
    """Wait for one run and return its last phase."""
    while (phase := find_phase(find_run(name))) == RUNNING:
        if deadline is not None and time.monotonic() >= deadline:
            raise CommandError(f"{name}: still {phase.lower()}: the time of --timeout is over", CommandExit.TIMED_OUT)
        time.sleep(LOOK_SECONDS)
    say(f"{name}: {phase}")
    return phase
