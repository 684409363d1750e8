import pytest

from podreduce_operator.model.pods import AttemptProgress, PodPhase
from podreduce_operator.policy.stuck_pods import find_hung, hung_at
from tests.support.builders.pods import make_pod

STILL = AttemptProgress(fraction=0.4, reported_at=990.0, changed_at=400.0)


def test_attempt_that_has_not_moved_for_the_deadline_hangs() -> None:
    pod = make_pod()
    assert hung_at(pod, STILL, 600) == 1000.0
    assert find_hung(pod, STILL, 600, 999.9) is None
    cause = find_hung(pod, STILL, 600, 1000.0)
    assert cause is not None
    assert cause.reason == "NoProgress"
    assert "for 600 s" in cause.message
    assert "context.progress()" in cause.message


@pytest.mark.parametrize(
    ("phase", "progress", "deadline"),
    [(PodPhase.PENDING, STILL, 600), (PodPhase.RUNNING, None, 600), (PodPhase.RUNNING, STILL, None)],
    ids=["not started", "nothing reported", "no deadline"],
)
def test_attempt_is_not_judged(phase: PodPhase, progress: AttemptProgress | None, deadline: int | None) -> None:
    pod = make_pod(phase=phase)
    assert hung_at(pod, progress, deadline) is None
    assert find_hung(pod, progress, deadline, 1e9) is None
