import pytest

from podreduce.contract.task import TaskRef
from podreduce_operator.model.actions import CommitOutput, FreezeShuffle
from podreduce_operator.model.limits import Limits
from podreduce_operator.policy.waves import current_generations, find_wave, is_committed, parallelism
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

M0, M1, R0, R1 = map_task(0), map_task(1), reduce_task(0), reduce_task(1)


def test_maps_start_in_generation_0() -> None:
    assert current_generations(make_observed(failures=[make_failure(M0)])) == {}


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ([(M1, 0)], {M1: 1}),
        ([(M1, 0), (M1, 0)], {M1: 1}),
        ([(M1, 0), (M1, 1), (M1, 0)], {M1: 2}),
        ([(M0, 0), (M1, 3)], {M0: 1, M1: 4}),
        ([(R0, 0), (M0, 0)], {R0: 1, M0: 1}),
    ],
)
def test_generation_is_one_above_the_highest_that_was_lost(
    reported: list[tuple[TaskRef, int]], expected: dict[TaskRef, int]
) -> None:
    failures = [make_failure(R0, ordinal=n, lost=pair) for n, pair in enumerate(reported, start=1)]
    assert current_generations(make_observed(failures=failures)) == expected


@pytest.mark.parametrize(("generation", "wanted", "expected"), [(0, 0, True), (0, 1, False), (1, 1, True)])
def test_commit_counts_for_its_generation(generation: int, wanted: int, expected: bool) -> None:
    observed = make_observed(commits=[make_commit(M0, generation=generation)])
    assert is_committed(observed, M0, {M0: wanted}) is expected


@pytest.mark.parametrize(("wanted", "limit", "expected"), [(None, 8, 8), (3, 8, 3), (8, 8, 8), (9, 8, 8)], ids=str)
def test_parallelism_is_the_jobs_within_the_operators(wanted: int | None, limit: int, expected: int) -> None:
    assert parallelism(make_observed(spec={"parallelism": wanted}, limits=Limits(parallelism=limit))) == expected


def test_wave_of_reduces_waits_for_the_manifest_of_just_these_commits() -> None:
    commits = [make_commit(M0), make_commit(M1)]
    plan = make_plan_summary()
    wave = find_wave(make_observed(commits=commits), plan, {})
    assert (wave.tasks, str(wave.step)) == ((), "freeze(0)")
    wave = find_wave(make_observed(commits=commits, shuffle=make_shuffle(map_generations=(1, 0))), plan, {})
    assert (wave.tasks, str(wave.step)) == ((), "freeze(1)")
    wave = find_wave(make_observed(commits=commits, shuffle=make_shuffle(partitions=2)), plan, {})
    assert (wave.tasks, wave.step) == ([R0, R1], None)


@pytest.mark.parametrize(("partitions", "frozen", "expected"), [(None, None, None), (3, None, 3), (None, 5, 5)])
def test_number_of_reduces_is_told_as_soon_as_it_is_known(
    partitions: int | None, frozen: int | None, expected: int | None
) -> None:
    shuffle = None if frozen is None else make_shuffle(partitions=frozen)
    wave = find_wave(make_observed(shuffle=shuffle), make_plan_summary(partitions=partitions), {})
    assert wave.reduce_total == expected


def test_committed_reduces_stay_when_a_map_is_made_again() -> None:
    commits = [make_commit(M0), make_commit(M1, generation=1), make_commit(R0)]
    shuffle = make_shuffle(generation=1, partitions=2, map_generations=(0, 1))
    observed = make_observed(commits=commits, shuffle=shuffle)
    assert find_wave(observed, make_plan_summary(partitions=2), {M1: 1}).tasks == [R1]


def test_a_map_only_run_has_no_reduces_whatever_was_planned() -> None:
    commits = [make_commit(task, part=make_commit(R0).part, blob=None) for task in (M0, M1)]
    wave = find_wave(make_observed(commits=commits), make_plan_summary(partitions=3), {})
    assert (wave.reduce_total, wave.step) == (0, CommitOutput())


@pytest.mark.parametrize(("tasks", "expected"), [((), 5), ((M0, M1, R0), 1)], ids=["pods of their own", "one pod"])
def test_partitions_are_packed_for_as_many_pods_as_will_run(tasks: tuple[TaskRef, ...], expected: int) -> None:
    waiting = (make_pod(R0, uid="whole", tasks=tasks, sequence=2),) if tasks else ()
    observed = make_observed(spec={"parallelism": 5}, commits=[make_commit(M0), make_commit(M1)], pods=waiting)
    step = find_wave(observed, make_plan_summary(partitions=None), {}).step
    assert step == FreezeShuffle(generation=0, parallelism=expected)
