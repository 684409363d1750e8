"""How large a job's status gets: the worst that a hundred thousand tasks can leave in it."""

import msgspec

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.policy.status import build_status
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.records import make_commit, make_failure

__all__ = ["status_bytes"]

NOW = 1_000_000.0


def status_bytes(tasks: int) -> int:
    """Return the size of the status, as JSON, of a job whose every other map is committed, and every tenth failed."""
    maps = [TaskRef(type=TaskType.MAP, index=index) for index in range(tasks)]
    observed = make_observed(
        plan=make_plan_summary(shards=tasks),
        commits=[make_commit(task) for task in maps[::2]],
        failures=[make_failure(task, message="no such column: amount " * 40) for task in maps[1::10]],
    )
    verdict = Verdict(phase=Phase.MAPPING, map_total=tasks, reduce_total=None)
    return len(msgspec.json.encode(build_status(observed, verdict, NOW, None)))
