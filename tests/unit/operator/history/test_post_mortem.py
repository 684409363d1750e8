import random
from datetime import UTC, datetime
from typing import Any

import pytest

from podreduce.contract.post_mortem import Attempt, AttemptResult, PostMortem
from podreduce.contract.wire import decode, encode_readable
from podreduce_operator.history.post_mortem import (
    MAX_COUNTERS,
    MAX_FAILURES,
    MAX_TIMELINE,
    EndedRun,
    Tally,
    build_post_mortem,
)
from podreduce_operator.model.observed import RunState
from podreduce_operator.policy.attempt_record import JOB_FAILED, STOPPED_TOLD
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task

R = AttemptResult
ENDED = RunState(run_id="1", started_at=100.0, terminal="Failed", reason="X", message="why", completed_at=200.0)
CONDITIONS = [{"type": "Failed", "status": "True", "reason": "X", "message": "why"}]


def make_attempt(index: int, result: AttemptResult = R.COMMITTED, **fields: Any) -> Attempt:
    finished_at = datetime.fromtimestamp(1000.0 + index, UTC)
    defaults: dict[str, Any] = {"running_seconds": float(index), "finished_at": finished_at}
    return Attempt(
        task=f"m-{index}", attempt=f"pod-{index}", attempt_id=f"{index}", result=result, **(defaults | fields)
    )


def tally_up(attempts: list[Attempt], group_attempts: int = 700) -> Tally:
    tally = Tally()
    for start in range(0, len(attempts), group_attempts):
        tally.add(attempts[start : start + group_attempts])
    return tally


def build(attempts: list[Attempt], **inputs: Any) -> PostMortem:
    defaults: dict[str, Any] = {"failures": {}, "logs": {}, "partitions": None, "commits": (), "counters": {}}
    ended = EndedRun(plan=make_plan(), plan_digest="d", state=ENDED, conditions=CONDITIONS, **(defaults | inputs))
    return build_post_mortem(ended, tally_up(attempts))


def test_the_story_says_what_was_planned_and_how_it_ended() -> None:
    story = build([], partitions=7)
    assert (story.verdict, story.reason, story.message) == ("Failed", "X", "why")
    assert story.started_at == datetime.fromtimestamp(100.0, UTC)
    assert story.ended_at == datetime.fromtimestamp(200.0, UTC)
    assert list(story.conditions) == CONDITIONS
    assert (story.plan.shards, story.plan.partitions, story.plan.digest) == (2, 7, "d")
    assert decode(encode_readable(story), PostMortem) == story


def test_a_run_that_ended_before_its_shuffle_has_the_plans_partitions() -> None:
    assert build([]).plan.partitions == 1


def test_all_counters_are_told_in_full_whatever_the_status_leaves_out() -> None:
    names = [f"a counter with a name that the status cuts {number:03}" for number in range(100)]
    counted = {("words", name): 4 for name in names} | {("podreduce", "genericTasks"): 2}
    commits = [make_commit(map_task(0)), make_commit(map_task(1))]
    counters = build([], commits=commits, counters=counted).counters
    assert counters["words"] == dict.fromkeys(names, 4)
    assert (counters["podreduce"]["genericTasks"], counters["podreduce"]["mapRecordsIn"]) == (2, 2)


def test_however_many_counters_there_are_the_post_mortem_is_limited() -> None:
    counted = {(f"g{number}", "n"): 10**30 for number in range(3000)}
    counters = build([], commits=[make_commit(map_task(0))], counters=counted).counters
    assert sum(len(names) for names in counters.values()) == MAX_COUNTERS
    assert counters["podreduce"]["mapRecordsIn"] == 1
    assert counters["g0"] == {"n": (1 << 63) - 1}


def test_attempts_are_summed_up() -> None:
    attempts = [
        make_attempt(1, pending_seconds=1.0, starting_seconds=0.25),
        make_attempt(2, R.FAILED, pending_seconds=2.0),
        make_attempt(3),
    ]
    totals = build(attempts).totals
    assert (totals.attempts, totals.by_result, totals.left_out) == (3, {"Committed": 2, "Failed": 1}, 0)
    assert (totals.pending_seconds, totals.starting_seconds, totals.running_seconds) == (3.0, 0.25, 6.0)


def test_a_timeline_with_room_for_all_tells_of_all() -> None:
    attempts = [make_attempt(index) for index in range(MAX_TIMELINE)]
    assert tally_up(attempts).timeline == attempts


def test_a_full_timeline_tells_of_those_that_took_longest() -> None:
    attempts = [make_attempt(index) for index in range(MAX_TIMELINE + 5)]
    assert tally_up(attempts[::-1]).timeline == attempts[:4:-1]
    assert build(attempts).totals.left_out == 5


def test_a_full_timeline_tells_first_of_those_that_did_not_commit() -> None:
    failed = [make_attempt(index, R.FAILED) for index in range(300)]
    committed = [make_attempt(1000 + index) for index in range(MAX_TIMELINE)]
    told = tally_up([*failed, *committed]).timeline
    assert told == [*failed, *committed[300:]]


def test_of_very_many_failures_the_last_are_told_and_leave_room_for_the_others() -> None:
    failed = [make_attempt(index, R.FAILED) for index in range(2 * MAX_TIMELINE)]
    committed = [make_attempt(10_000 + index) for index in range(MAX_TIMELINE)]
    told = tally_up([*failed, *committed]).timeline
    assert told == [*failed[-MAX_TIMELINE // 2 :], *committed[MAX_TIMELINE // 2 :]]
    assert tally_up(failed).timeline == failed[-MAX_TIMELINE:]


@pytest.mark.parametrize("group_attempts", [70, 999, 5 * MAX_TIMELINE])
def test_it_does_not_matter_in_which_groups_attempts_are_added(group_attempts: int) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    results = [R.COMMITTED, R.COMMITTED, R.FAILED, R.STOPPED]
    attempts = [
        make_attempt(index, chance.choice(results), running_seconds=float(chance.randrange(50)))
        for index in range(2 * MAX_TIMELINE)
    ]
    committed = [attempt for attempt in attempts if attempt.result is R.COMMITTED]
    others = [attempt for attempt in attempts if attempt.result is not R.COMMITTED][-MAX_TIMELINE // 2 :]
    longest = sorted(committed, key=lambda attempt: -(attempt.running_seconds or 0.0))[: MAX_TIMELINE - len(others)]
    chosen = {attempt.attempt_id for attempt in (*others, *longest)}
    tally = tally_up(attempts, group_attempts)
    assert tally.timeline == [attempt for attempt in attempts if attempt.attempt_id in chosen]
    assert tally.failed == [attempt for attempt in attempts if attempt.result is R.FAILED][-MAX_FAILURES:]
    assert tally.totals.left_out == MAX_TIMELINE


def test_long_messages_are_cut_in_the_timeline_alone() -> None:
    story = build([make_attempt(1, R.FAILED, message="x" * 900)])
    assert len(story.timeline[0].message.encode()) == 200
    assert len(story.failures[0].message) == 900


def test_a_failed_attempt_tells_what_it_said() -> None:
    attempts = [make_attempt(1, R.FAILED, reason="ProgramError", message="boom"), make_attempt(2, R.STOPPED)]
    failure = make_failure(map_task(1), traceback="Traceback:\n  File …\n", record="line 7")
    (told,) = build(attempts, failures={"1": failure}, logs={"1": ["a", "b"]}).failures
    assert (told.task, told.attempt, told.reason, told.message) == ("m-1", "pod-1", "ProgramError", "boom")
    assert (told.traceback, told.record, told.log) == (("Traceback:", "  File …"), "line 7", ("a", "b"))


def test_attempts_that_ran_when_the_run_failed_tell_what_they_were_at_longest_first() -> None:
    stopped = [
        make_attempt(
            index,
            R.STOPPED,
            why_deleted=JOB_FAILED,
            started_at=datetime.fromtimestamp(100.0 - index, UTC),
            finished_at=None,
        )
        for index in range(STOPPED_TOLD + 3)
    ]
    others = [
        make_attempt(50, R.STOPPED, why_deleted="suspended", started_at=datetime.fromtimestamp(1.0, UTC)),
        make_attempt(51, R.STOPPED, why_deleted=JOB_FAILED, started_at=None),
        make_attempt(52, why_deleted=JOB_FAILED, started_at=datetime.fromtimestamp(1.0, UTC)),
    ]
    story = build([*stopped, *others], logs={"12": ["read m", "read n"]})
    assert [told.task for told in story.stopped] == [f"m-{index}" for index in range(STOPPED_TOLD + 2, 2, -1)]
    assert (story.stopped[0].log, story.stopped[1].log) == (("read m", "read n"), ())
    assert story.failures == ()


def test_the_last_failed_attempts_come_in_order_of_their_end() -> None:
    attempts = [make_attempt(index, R.FAILED) for index in range(MAX_FAILURES + 10)]
    assert tally_up(attempts[::-1]).failed == attempts[10:]


def test_the_story_stays_below_some_mebibytes_whatever_the_number_of_attempts() -> None:
    long = "é" * 4000
    attempts = [
        make_attempt(index, R.FAILED if index % 3 else R.COMMITTED, message=long, reason="ProgramError", node="n" * 60)
        for index in range(20_000)
    ]
    failures = {str(index): make_failure(traceback=long, record=long) for index in range(20_000)}
    logs = {str(index): ["x" * 327] * 100 for index in range(20_000)}
    assert len(encode_readable(build(attempts, failures=failures, logs=logs))) < 5 * 2**20
