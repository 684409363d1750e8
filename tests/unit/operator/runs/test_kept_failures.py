"""What is kept of failures: what decides anything of each of them, and the texts of the newest."""

import random
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.task import FailureRecord
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.runs import kept_failures
from podreduce_operator.runs.kept_failures import MAX_TEXT_BYTES, MOST_IN_FULL, KeptFailures
from podreduce_operator.runs.record_budget import RecordBudget, size_of
from tests.support.builders.records import make_failure
from tests.support.builders.tasks import map_task
from tests.support.searching import tries

FAILURES = st.lists(
    st.builds(
        lambda task, at, counted, reason, lost: make_failure(
            map_task(task),
            finished_at=float(at),
            counted=counted,
            reason=reason,
            lost=(map_task(lost), 0) if lost else None,
            message="m" * 400,
            traceback="t" * 400,
            record="r",
        ),
        task=st.integers(0, 3),
        at=st.integers(0, 5),
        counted=st.booleans(),
        reason=st.sampled_from(["ProgramError", "StorageUnavailable", "OutOfMemory"]),
        lost=st.integers(0, 2),
    ),
    max_size=12,
).map(lambda drawn: [msgspec.structs.replace(each, attempt_id=f"a{number}") for number, each in enumerate(drawn)])


def keep(failures: list[FailureRecord]) -> KeptFailures:
    kept = KeptFailures(RecordBudget().share("uri", JobKey(namespace="a", name="b")))
    for failure in failures:
        kept.add(failure.attempt_id, failure)
    return kept


def without_texts(failure: FailureRecord) -> FailureRecord:
    return msgspec.structs.replace(failure, message="", traceback="", record="")


@settings(max_examples=tries(150), deadline=None)
@given(failures=FAILURES, most=st.integers(1, 5), seed=st.integers(0, 99))
def test_whatever_the_order_only_the_newest_keep_their_texts(
    failures: list[FailureRecord], most: int, seed: int
) -> None:
    shuffled = random.Random(seed).sample(failures, len(failures))  # noqa: S311 - a seeded case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_failures, "MOST_IN_FULL", most)
        kept, again = keep(failures), keep(shuffled)
    assert kept.by_task == again.by_task
    assert kept.attempts == {failure.attempt_id for failure in failures}
    ordered = sorted(failures, key=lambda failure: (failure.finished_at, failure.attempt_id))
    for task in {failure.task for failure in failures}:
        expected = [failure for failure in ordered if failure.task == task]
        assert [without_texts(each) for each in kept.by_task[task]] == [without_texts(each) for each in expected]
    found = {each.attempt_id: each for each in sum(kept.by_task.values(), ())}
    assert [found[each.attempt_id] for each in ordered[-most:]] == ordered[-most:]
    assert all(not found[each.attempt_id].traceback for each in ordered[:-most])
    assert all(len(found[each.attempt_id].message) <= 300 for each in ordered[:-most])


def test_what_is_told_of_a_task_changes_as_its_failures_come() -> None:
    kept, seen = keep([]), []
    for number in range(3):
        kept.add(f"k{number}", make_failure(map_task(0), finished_at=10.0 - number, attempt_id=f"a{number}"))
        seen.append([failure.attempt_id for failure in kept.by_task[map_task(0)]])
    assert seen == [["a0"], ["a1", "a0"], ["a2", "a1", "a0"]]


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
def test_what_is_kept_is_what_the_budget_counts(number: int) -> None:
    budget = RecordBudget()
    kept = KeptFailures(budget.share("uri", JobKey(namespace="a", name="b")))
    for each in range(number):
        kept.add(f"{each:03}", make_long(each))
    found = [failure for failures in kept.by_task.values() for failure in failures]
    assert budget.total_bytes == sum(map(size_of, found)) + number * size_of("000")


def test_memory_does_not_grow_with_the_texts_of_all_failures() -> None:
    tracemalloc.start()
    try:
        kept = keep([make_long(number) for number in range(2000)])
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(kept.attempts) == 2000
    assert held < MOST_IN_FULL * 3 * MAX_TEXT_BYTES + 2000 * 2500


def make_long(number: int) -> FailureRecord:
    texts = {name: f"{number}" + name * 1000 for name in ("message", "traceback", "record")}
    return make_failure(map_task(number), finished_at=float(number), attempt_id=f"a{number}", **texts)
