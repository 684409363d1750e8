import random
from dataclasses import replace
from itertools import chain, permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.post_mortem import Attempt, AttemptResult
from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce_operator.history.attempt_merge import KeptAttempts
from podreduce_operator.history.attempt_results import gather_sources, list_attempts, moment
from podreduce_operator.model.pods import PodPhase, Requests
from podreduce_operator.policy.attempt_record import JOB_FAILED, describe_attempt
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task

M0 = map_task(0)
POD = make_pod(M0, node="node-1", created_at=10.0, scheduled_at=12.0, started_at=15.0, requests=Requests(500, 2**20))


def build(
    *kept: AttemptRecord,
    commits: tuple[CommitRecord, ...] = (),
    failures: tuple[FailureRecord, ...] = (),
    outdated: frozenset[str] = frozenset(),
    group_attempts: int = 10,
) -> list[Attempt]:
    known = KeptAttempts()
    known.add(kept)
    sources = gather_sources(
        kept=known, commits={commit.task: commit for commit in commits}, outdated=outdated, failures=failures
    )
    return list(chain.from_iterable(list_attempts(sources, group_attempts)))


ENDED = replace(POD, phase=PodPhase.FAILED, finished_at=40.0, exit_code=64, reason="Error")
OWN = make_commit(M0, started_at=16.25, finished_at=39.5, quarantine=make_quarantine(7))
TWIN = make_commit(M0, attempt_id="twin-0")
FAILURE = make_failure(M0, finished_at=40.0, exit_code=64)
GONE = describe_attempt(POD, 50.0, "suspended")
OUTPUT_LOST = make_failure(reduce_task(0), attempt_id="r", counted=False, reason="MapOutputLost", lost=(M0, 0))
PART_LOST = make_failure(M0, ordinal=0, counted=False, reason="UploadLost", lost=(M0, 0))

RESULTS: dict[str, tuple[dict[str, Any], AttemptResult]] = {
    "committed": ({"commits": (OWN,)}, AttemptResult.COMMITTED),
    "committed, though its pod was given up": ({"commits": (OWN,), "failures": (FAILURE,)}, AttemptResult.COMMITTED),
    "committed, and made again since": ({"commits": (TWIN,), "outdated": {POD.attempt_id}}, AttemptResult.LOST),
    "committed, and its output is gone": ({"commits": (OWN,), "failures": (OUTPUT_LOST,)}, AttemptResult.LOST),
    "committed, and its part was dropped": ({"commits": (OWN,), "failures": (PART_LOST,)}, AttemptResult.LOST),
    "failed": ({"failures": (FAILURE,)}, AttemptResult.FAILED),
    "failed unrecorded": ({"kept": (describe_attempt(ENDED, 45.0),)}, AttemptResult.FAILED),
    "beaten": ({"commits": (TWIN,)}, AttemptResult.BEATEN),
    "stopped": ({"kept": (GONE,)}, AttemptResult.STOPPED),
    "stopped, and ended then": (
        {"kept": (describe_attempt(POD, 50.0, JOB_FAILED), describe_attempt(replace(ENDED, deleting=True), 55.0))},
        AttemptResult.STOPPED,
    ),
    "stopped, seen late": ({"kept": (GONE, describe_attempt(POD, 55.0))}, AttemptResult.STOPPED),
    "seen running, then never again": ({}, AttemptResult.VANISHED),
}


@pytest.mark.parametrize(("left", "result"), RESULTS.values(), ids=RESULTS.keys())
def test_what_became_of_an_attempt_follows_from_what_it_left(left: dict[str, Any], result: AttemptResult) -> None:
    kept = (describe_attempt(POD, 20.0), *left.get("kept", ()))
    attempts = build(*kept, **{name: value for name, value in left.items() if name != "kept"})
    told = {attempt.attempt_id: attempt.result for attempt in attempts}
    assert told[POD.attempt_id] is result


def test_a_failed_attempt_is_told_from_its_pod_and_its_record() -> None:
    (attempt,) = build(
        describe_attempt(POD, 20.0), describe_attempt(ENDED, 45.0, "failure recorded"), failures=(FAILURE,)
    )
    assert attempt == Attempt(
        task="m-0",
        attempt=POD.name,
        result=AttemptResult.FAILED,
        reason="ProgramError",
        message="boom",
        exit_code=64,
        counted=True,
        created_at=moment(10.0),
        scheduled_at=moment(12.0),
        started_at=moment(15.0),
        finished_at=moment(40.0),
        deleted_at=moment(45.0),
        why_deleted="failure recorded",
        pending_seconds=2.0,
        starting_seconds=3.0,
        running_seconds=25.0,
        node="node-1",
        phase="Failed",
        ordinal=1,
        attempt_id=POD.attempt_id,
        cpu_requested=0.5,
        memory_requested_bytes=2**20,
    )


def test_a_commits_times_are_finer_than_its_pods() -> None:
    (attempt,) = build(describe_attempt(replace(POD, phase=PodPhase.SUCCEEDED, finished_at=40.0), 45.0), commits=(OWN,))
    assert (attempt.started_at, attempt.finished_at) == (moment(16.25), moment(39.5))
    assert (attempt.running_seconds, attempt.records_in, attempt.bytes_in, attempt.bad_records) == (23.25, 1, 10, 7)


def test_a_commit_without_a_quarantine_had_no_bad_record() -> None:
    (attempt,) = build(commits=(make_commit(M0),))
    assert attempt.bad_records == 0


@pytest.mark.parametrize(
    ("left", "known"),
    [
        ({"commits": (OWN,)}, {"started_at", "finished_at", "running_seconds", "records_in"}),
        ({"failures": (FAILURE,)}, {"finished_at", "reason", "exit_code", "counted", "ordinal"}),
    ],
    ids=["a commit", "a failure record"],
)
def test_an_attempt_of_which_nothing_was_kept_is_told_as_far_as_it_is_known(
    left: dict[str, Any], known: set[str]
) -> None:
    (attempt,) = build(**left)
    fields = msgspec.structs.asdict(attempt)
    assert attempt.attempt == POD.name
    assert {name for name in known if fields[name] is None} == set()
    assert attempt.created_at is attempt.pending_seconds is None


DURATIONS: dict[str, tuple[dict[str, Any], tuple[float | None, ...]]] = {
    "never placed, deleted": ({"scheduled_at": None, "started_at": None}, (40.0, None, None)),
    "placed, never started": ({"started_at": None}, (2.0, 38.0, None)),
    "stopped while it ran": ({}, (2.0, 3.0, 35.0)),
    "a process, which needs no node": ({"scheduled_at": None}, (None, 5.0, 35.0)),
}


@pytest.mark.parametrize(("fields", "expected"), DURATIONS.values(), ids=DURATIONS.keys())
def test_time_is_told_by_what_it_went_into(fields: dict[str, Any], expected: tuple[float | None, ...]) -> None:
    (attempt,) = build(describe_attempt(replace(POD, **fields), 50.0, "suspended"))
    assert (attempt.pending_seconds, attempt.starting_seconds, attempt.running_seconds) == expected


def test_the_first_word_on_a_deletion_holds() -> None:
    going = replace(POD, deleting=True)
    (attempt,) = build(GONE, describe_attempt(going, 52.0), describe_attempt(going, 60.0, "lost with its node"))
    assert (attempt.deleted_at, attempt.why_deleted) == (moment(50.0), "suspended")


def test_a_dropped_part_is_no_attempt_of_its_own() -> None:
    attempts = build(commits=(OWN,), failures=(PART_LOST,))
    assert [(attempt.attempt_id, attempt.reason) for attempt in attempts] == [(POD.attempt_id, "")]


def test_attempts_come_in_order_of_the_first_that_is_known_of_them() -> None:
    early = make_pod(map_task(1), created_at=5.0)
    attempts = build(
        describe_attempt(POD, 20.0),
        describe_attempt(early, 21.0),
        failures=(make_failure(map_task(2), finished_at=7.0),),
    )
    assert [attempt.task for attempt in attempts] == ["m-1", "m-2", "m-0"]


@pytest.mark.parametrize("group_attempts", [1, 2, 3, 4, 100])
def test_attempts_come_group_by_group(group_attempts: int) -> None:
    records = [describe_attempt(make_pod(map_task(index), created_at=float(-index)), 100.0) for index in range(4)]
    assert [attempt.task for attempt in build(*records, group_attempts=group_attempts)] == ["m-3", "m-2", "m-1", "m-0"]


def test_no_more_attempts_are_described_than_are_asked_for() -> None:
    kept = KeptAttempts()
    kept.add(describe_attempt(make_pod(map_task(index)), 100.0) for index in range(100))
    groups = list_attempts(gather_sources(kept=kept, commits={}, outdated=frozenset(), failures=()), 7)
    assert len(next(groups)) == 7
    assert [len(group) for group in groups] == [7] * 13 + [2]


LIVES = [
    replace(POD, phase=PodPhase.PENDING, node="", scheduled_at=None, started_at=None),
    POD,
    ENDED,
    replace(ENDED, deleting=True),
]


@given(kept_at=st.lists(st.integers(0, 3), min_size=1, max_size=12), seed=st.integers(0, 100))
def test_keeping_something_more_than_once_changes_nothing(kept_at: list[int], seed: int) -> None:
    once = [describe_attempt(LIVES[stage], 100.0 + stage) for stage in sorted(set(kept_at))]
    often = sorted((describe_attempt(LIVES[stage], 100.0 + stage) for stage in kept_at), key=lambda one: one.kept_at)
    bystanders = [describe_attempt(make_pod(map_task(index)), 100.0) for index in range(1, 4)]
    random.Random(seed).shuffle(bystanders)  # noqa: S311 - no secret
    assert build(*once, *bystanders) == build(*bystanders, *often, *bystanders)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_who_saw_an_attempt_further_knows_better_whatever_the_order(order: tuple[int, ...]) -> None:
    records = [
        describe_attempt(LIVES[0], 100.0),
        describe_attempt(LIVES[1], 101.0),
        describe_attempt(ENDED, 102.0, "failure recorded"),
    ]
    assert build(*(records[index] for index in order)) == build(*records)
