from collections.abc import Iterable

import pytest

from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.task_sequences import History, failed_attempts
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

M0, M1, M2, R0, R1 = map_task(0), map_task(1), map_task(2), reduce_task(0), reduce_task(1)
POD = make_pod(M0, uid="u", tasks=(M0, M1, M2), started_at=10.0)
WHOLE = make_pod(M0, uid="u", tasks=(M0, M1, R0, R1), started_at=10.0)
PART = make_commit(R0).part


def commit(number: int, uid: str = "u", finished_at: float = 20.0) -> CommitRecord:
    return make_commit(map_task(number), attempt_id=f"{uid}-{number}", finished_at=finished_at)


def place(
    pod: PodView,
    commits: Iterable[CommitRecord] = (),
    failures: Iterable[FailureRecord] = (),
    *,
    outdated: Iterable[str] = (),
    partitions: int | None = None,
) -> PodView:
    history = History(
        commits={each.task: each for each in commits},
        outdated=set(outdated),
        failed=failed_attempts({failure.task: (failure,) for failure in failures}),
        partitions=partitions,
    )
    return history.place(pod)


@pytest.mark.parametrize(
    ("commits", "sequence"),
    [
        ([], 0),
        ([commit(0)], 1),
        ([commit(0), commit(1)], 2),
        ([commit(0), commit(1), commit(2)], 2),
        ([commit(1)], 0),
        ([commit(0, "twin")], 0),
        ([commit(0), commit(1, "twin")], 1),
        ([commit(0), commit(1, "twin"), commit(2, "twin")], 1),
    ],
    ids=["nothing", "one", "two", "all", "out of turn", "beaten at once", "beaten later", "the rest by others"],
)
def test_a_pod_stands_for_the_first_task_that_it_has_not_committed(commits: list[CommitRecord], sequence: int) -> None:
    placed = place(POD, commits)
    assert (placed.sequence, placed.task, placed.attempt_id) == (sequence, POD.tasks[sequence], f"u-{sequence}")


def test_a_pod_of_one_task_is_left_alone() -> None:
    pod = make_pod(M0)
    assert place(pod, [make_commit(M0)]) is pod


def test_a_commit_that_no_longer_counts_was_one() -> None:
    placed = place(POD, [make_commit(M0, generation=1, attempt_id="later-0")], outdated={"u-0"})
    assert placed.sequence == 1


def test_an_attempt_begins_when_the_one_before_is_committed() -> None:
    assert place(POD, [commit(0, finished_at=25.0)]).started_at == 25.0
    assert place(POD, [commit(0, finished_at=5.0)]).started_at == 10.0, "by a clock that is behind"
    assert place(POD).started_at == 10.0
    pending = make_pod(M0, tasks=(M0, M1), phase=PodPhase.PENDING)
    assert place(pending).started_at is None


def test_a_pod_that_has_committed_is_not_pending_however_old_its_view_is() -> None:
    pending = make_pod(M0, uid="u", tasks=(M0, M1), phase=PodPhase.PENDING)
    placed = place(pending, [commit(0, finished_at=25.0)])
    assert (placed.phase, placed.started_at) == (PodPhase.RUNNING, 25.0)
    assert place(pending).phase is PodPhase.PENDING
    assert place(POD, [commit(0)]).phase is PodPhase.RUNNING


def test_a_recorded_failure_ends_the_sequence_whatever_is_committed_later() -> None:
    failure = make_failure(M1, attempt_id="u-1")
    assert place(POD, [commit(0)], [failure]).sequence == 1
    assert place(POD, [commit(0), commit(1)], [failure]).sequence == 1


def test_a_committed_part_that_was_lost_is_no_failure_of_its_attempt() -> None:
    lost = make_failure(M0, counted=False, reason="UploadLost", attempt_id="u-0", lost=(M0, 0))
    assert place(POD, [commit(0)], [lost]).sequence == 1


def test_a_reduce_that_missed_a_map_output_has_failed() -> None:
    lost = make_failure(R0, counted=False, reason="MapOutputLost", attempt_id="u-2", lost=(M0, 0))
    assert failed_attempts({R0: (lost,)}) == {"u-2"}


@pytest.mark.parametrize(
    ("partitions", "tasks"), [(None, (M0, M1, R0, R1)), (2, (M0, M1, R0, R1)), (1, (M0, M1, R0)), (0, (M0, M1))]
)
def test_reduces_that_do_not_exist_are_no_tasks(partitions: int | None, tasks: tuple[object, ...]) -> None:
    placed = place(WHOLE, [commit(0), commit(1)], partitions=partitions)
    assert placed.tasks == tasks
    assert placed.sequence == min(2, len(tasks) - 1)


def test_a_pod_whose_annotation_was_tampered_with_stands_for_something_all_the_same() -> None:
    pod = make_pod(R0, tasks=(reduce_task(8), reduce_task(9)))
    assert place(pod, partitions=1).task == reduce_task(8)


def test_a_program_that_turned_out_map_only_has_no_reduces() -> None:
    first = make_commit(M0, attempt_id="u-0", blob=None, part=PART)
    assert place(WHOLE, [first]).tasks == (M0, M1)
    assert place(WHOLE, [first, commit(1)]).task == M1
