"""Parts of worlds that examples of several topics share."""

from collections.abc import Mapping

from podreduce.contract.task import TaskRef
from podreduce_operator.model.observed import RunState
from podreduce_operator.model.pods import AttemptProgress
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task, reduce_task

__all__ = ["ALL", "BOTH", "COMPLETE", "FAILED", "M0", "M1", "ONE", "PUBLISHING", "R0", "SIXTY_SECONDS", "moved_at"]

ONE = {"parallelism": 1}
M0 = map_task(0)
M1 = map_task(1)
R0 = reduce_task(0)
BOTH = (make_commit(M0), make_commit(M1))
ALL = (*BOTH, make_commit(R0))
COMPLETE = RunState(run_id="1", started_at=0.0, terminal="Complete", reason="OutputCommitted", completed_at=300.0)
PUBLISHING = RunState(run_id="1", started_at=0.0, is_publishing=True)
FAILED = RunState(run_id="1", started_at=0.0, terminal="Failed", reason="DeadlineExceeded", completed_at=300.0)
SIXTY_SECONDS = make_commit(M0, started_at=0.0, finished_at=60.0)


def moved_at(times: Mapping[TaskRef, float], fraction: float = 0.25) -> dict[str, AttemptProgress]:
    """Attempts that have done so much, and last moved at these times."""
    return {
        make_pod(task).attempt_id: AttemptProgress(fraction=fraction, reported_at=at, changed_at=at)
        for task, at in times.items()
    }
