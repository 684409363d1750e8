import pytest

from podreduce.contract.task import CommitRecord
from podreduce_operator.model.decisions import Phase
from podreduce_operator.policy.bad_record_limit import count_bad_records, find_excess, has_bad_records
from tests.support.builders.observed import make_observed
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task


def skipped(*records: int) -> list[CommitRecord]:
    """Committed maps with so many bad records, and a reduce."""
    maps = [
        make_commit(map_task(index), quarantine=make_quarantine(number) if number else None)
        for index, number in enumerate(records)
    ]
    return [*maps, make_commit(reduce_task(0))]


@pytest.mark.parametrize(
    ("commits", "expected"),
    [([], 0), (skipped(0, 0), 0), (skipped(3, 0, 4), 7), (skipped(5000), 5000)],
    ids=["no commits", "none bad", "of several maps", "more than are kept"],
)
def test_bad_records_of_committed_maps_are_added_up(commits: list[CommitRecord], expected: int) -> None:
    assert count_bad_records(commits) == expected
    assert has_bad_records(make_observed(commits=commits)) == (expected > 0)


@pytest.mark.parametrize(
    ("limit", "exceeded"),
    [(None, False), (0, True), (6, True), (7, False), (8, False)],
    ids=["no limit", "none allowed", "one too many", "just enough", "more than enough"],
)
def test_a_run_may_skip_as_many_as_the_spec_says(limit: int | None, exceeded: bool) -> None:
    observed = make_observed(spec={"badRecords": "Skip", "maxBadRecords": limit}, commits=skipped(3, 4))
    verdict = find_excess(observed)
    assert (verdict is not None) is exceeded
    if verdict is not None:
        assert (verdict.phase, verdict.reason) == (Phase.FAILED, "TooManyBadRecords")
        assert verdict.message.startswith(f"more bad records (7) than spec.maxBadRecords ({limit}): fix the input")


def test_none_allowed_and_none_bad_is_fine() -> None:
    assert find_excess(make_observed(spec={"maxBadRecords": 0}, commits=skipped(0))) is None


@pytest.mark.parametrize(("limit", "exceeded"), [(5, True), (6, False)])
def test_an_attempt_with_too_many_of_its_own_ends_the_run_by_the_limit_of_now(limit: int, exceeded: bool) -> None:
    failures = [
        make_failure(map_task(1), reason="OutOfMemory", attempt_id="a"),
        make_failure(map_task(1), ordinal=2, reason="TooManyBadRecords", counted=False, bad_records=6, attempt_id="b"),
    ]
    observed = make_observed(spec={"badRecords": "Skip", "maxBadRecords": limit}, failures=failures)
    verdict = find_excess(observed)
    assert (verdict is not None) is exceeded
    if verdict is not None:
        assert verdict.message.startswith("more bad records in m-1 alone (6) than spec.maxBadRecords (5): ")
    assert has_bad_records(observed)
    assert count_bad_records(observed.commits.values()) == 0


def test_failures_for_other_reasons_leave_no_bad_records_to_look_at() -> None:
    assert not has_bad_records(make_observed(failures=[make_failure(map_task(1), reason="OutOfMemory")]))
