import json
from dataclasses import replace
from typing import Any

import pytest

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Fault, HeavyKeyView, Observed, PostMortemView, RunState, SeveralPods
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.run_wave import run_wave
from podreduce_operator.policy.status import build_status, compress_indexes
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_observed, make_post_mortem_view, make_published
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task

NOW = 1_000_000.0


def conditions(status: dict) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param([0], "0", id="one"),
        pytest.param([0, 1, 2, 4, 7, 8], "0-2,4,7-8", id="ranges"),
        pytest.param(range(100_000), "0-99999", id="all of many"),
    ],
)
def test_completed_indexes_are_written_as_batch_v1_writes_them(indexes: list[int], text: str) -> None:
    assert compress_indexes(list(indexes)) == text


def test_completed_indexes_are_cut_and_say_so() -> None:
    text = compress_indexes(list(range(0, 100_000, 2)))
    assert len(text) <= 402
    assert text.endswith(",…")


@pytest.mark.parametrize(
    ("phase", "held"),
    [
        pytest.param(Phase.MAPPING, {"Reconciling"}, id="in progress"),
        pytest.param(Phase.SUSPENDED, {"Suspended"}, id="suspended"),
        pytest.param(Phase.COMPLETE, {"Ready", "Complete"}, id="complete"),
        pytest.param(Phase.FAILED, {"Stalled", "Failed"}, id="failed"),
    ],
)
def test_conditions_follow_the_phase(phase: Phase, held: set[str]) -> None:
    status = build_status(make_observed(), Verdict(phase=phase), NOW, None)
    assert {kind for kind, value in conditions(status).items() if value == "True"} == held


def test_a_condition_keeps_its_transition_time_while_its_status_stays() -> None:
    first = build_status(make_observed(), Verdict(phase=Phase.MAPPING), NOW, None)
    later = make_observed(job=make_job(status=first))
    second = build_status(later, Verdict(phase=Phase.REDUCING), NOW + 60, None)
    third = build_status(make_observed(job=make_job(status=second)), Verdict(phase=Phase.COMPLETE), NOW + 90, None)
    times = [{c["type"]: c["lastTransitionTime"] for c in status["conditions"]} for status in (first, second, third)]
    assert times[0] == times[1]
    assert times[2]["Ready"] > times[1]["Ready"]
    assert times[2]["Failed"] == times[1]["Failed"]


@pytest.mark.parametrize("phase", Phase)
def test_a_run_that_has_ended_has_no_active_pods(phase: Phase) -> None:
    verdict = Verdict(phase=phase)
    pods = [make_pod(map_task(0)), make_pod(reduce_task(0))]
    status = build_status(make_observed(pods=pods), verdict, NOW, None)
    active = 0 if verdict.is_terminal else 1
    assert (status["map"]["active"], status["reduce"]["active"]) == (active, active)


def test_a_run_says_how_long_it_took_when_it_has_ended_and_how_many_attempts_failed() -> None:
    failures = [make_failure(map_task(0)), make_failure(reduce_task(1)), make_failure(map_task(2), counted=False)]
    running = build_status(make_observed(failures=failures), Verdict(phase=Phase.MAPPING), NOW, None)
    assert (running["failedAttempts"], "duration" in running) == (2, False)
    later = make_observed(job=make_job(status=running), failures=failures)
    for phase in (Phase.COMPLETE, Phase.FAILED):
        assert build_status(later, Verdict(phase=phase), NOW + 130, None)["duration"] == "2m10s"
    blind = make_observed(job=make_job(status=running), plan=None, is_store_unreadable=True)
    ended = build_status(blind, Verdict(phase=Phase.FAILED), NOW + 7, None)
    assert (ended["duration"], ended["failedAttempts"]) == ("7s", 2)


def test_a_run_that_ends_while_its_store_is_away_has_no_active_pods() -> None:
    pods = [make_pod(map_task(0))]
    running = build_status(make_observed(pods=pods), Verdict(phase=Phase.MAPPING), NOW, None)
    away = make_observed(job=make_job(status=running), pods=pods, plan=None, is_store_unreadable=True)
    ended = build_status(away, Verdict(phase=Phase.FAILED), NOW, None)
    assert (running["map"]["active"], ended["map"]) == (1, {**running["map"], "active": 0})


def test_a_terminal_run_keeps_its_status_when_its_records_are_gone() -> None:
    observed = make_observed(commits=[make_commit(map_task(0))], published=make_published())
    complete = build_status(observed, Verdict(phase=Phase.COMPLETE), NOW, None)
    tidied = make_observed(
        job=make_job(status=complete), plan=None, run=RunState(run_id="1", terminal="Complete", completed_at=NOW)
    )
    again = build_status(tidied, Verdict(phase=Phase.COMPLETE), NOW + 9999, None)
    assert again["map"]["progress"] == "1/2"
    assert again["completionTime"] == complete["completionTime"]
    assert again["output"]["records"] == 1


def test_the_story_of_an_ended_run_is_linked_as_long_as_it_lies_there() -> None:
    run = RunState(run_id="1", terminal="Complete", completed_at=NOW)
    complete = build_status(make_observed(published=make_published()), Verdict(phase=Phase.COMPLETE), NOW, None)
    links = []
    for story, is_store_unreadable in ((make_post_mortem_view(), False), (None, True), (None, False)):
        observed = make_observed(
            job=make_job(status=complete), run=run, post_mortem=story, is_store_unreadable=is_store_unreadable
        )
        complete = build_status(observed, Verdict(phase=Phase.COMPLETE), NOW, None)
        links.append(complete.get("postMortem"))
    told = {"uri": "s3://work/run/post-mortem.json", "attemptsUri": "s3://work/run/attempts.parquet"}
    assert links == [told, told, None]
    assert complete["output"]["records"] == 1


@pytest.mark.parametrize(
    ("characters", "told"), [(256, {"uri", "attemptsUri"}), (257, {"uri"}), (512, {"uri"}), (513, set())]
)
def test_links_for_which_the_status_has_no_room_are_left_out(characters: int, told: set[str]) -> None:
    story = PostMortemView(uri="s" * characters, attempts_uri="s" * characters)
    status = build_status(make_observed(post_mortem=story), Verdict(phase=Phase.COMPLETE), NOW, None)
    assert set(status.get("postMortem", {})) == told


def test_a_new_run_starts_with_a_fresh_status() -> None:
    old = build_status(make_observed(published=make_published()), Verdict(phase=Phase.COMPLETE), NOW, None)
    observed = make_observed(job=make_job(status=old), run_id="2", run=RunState(run_id="2"), plan=None)
    fresh = build_status(observed, Verdict(phase=Phase.PLANNING), NOW + 60, None)
    assert fresh["runId"] == "2"
    assert "completionTime" not in fresh
    assert "output" not in fresh
    assert conditions(fresh)["Complete"] == "False"


def test_a_run_being_replaced_stays_in_the_status_until_it_is_discarded() -> None:
    old = build_status(make_observed(), Verdict(phase=Phase.MAPPING), NOW, None)
    observed = make_observed(job=make_job(status=old), run_id="2", run=RunState(run_id="2"), superseded="1")
    assert build_status(observed, Verdict(phase=Phase.PLANNING), NOW, None)["runId"] == "1"


def test_blindness_keeps_the_numbers() -> None:
    seen = build_status(make_observed(commits=[make_commit(map_task(0))]), Verdict(phase=Phase.MAPPING), NOW, None)
    blind = make_observed(job=make_job(status=seen), plan=None, is_store_unreadable=True)
    status = build_status(blind, Verdict(phase=Phase.PLANNING, reason="StorageUnavailable"), NOW + 5, None)
    assert status["map"] == seen["map"]
    assert status["phase"] == "Mapping"
    assert status["conditions"][1]["reason"] == "StorageUnavailable"


def test_suspension_takes_the_start_time_so_that_the_deadline_starts_anew() -> None:
    running = build_status(make_observed(), Verdict(phase=Phase.MAPPING), NOW, None)
    observed = make_observed(job=make_job(status=running))
    suspended = build_status(observed, Verdict(phase=Phase.SUSPENDED), NOW + 5, None)
    assert "startTime" not in suspended
    resumed = make_observed(job=make_job(status=suspended))
    assert build_status(resumed, Verdict(phase=Phase.MAPPING), NOW + 60, None)["startTime"] == "1970-01-12T13:47:40Z"


def test_an_edit_of_a_pinned_field_is_told() -> None:
    observed = make_observed(spec={"map": {"shards": 9}})
    pinned = dict(make_job(spec={"map": {"shards": 8}}).raw_spec)
    status = build_status(observed, Verdict(phase=Phase.MAPPING), NOW, pinned)
    told = [condition for condition in status["conditions"] if condition["type"] == "SpecChanged"]
    assert [condition["message"] for condition in told] == ["takes effect with the next spec.runId: spec.map.shards"]


def test_why_a_job_has_several_pods_is_told_for_this_run_also_while_its_plan_is_not_seen() -> None:
    why = SeveralPods(reason="InputTooLarge", message="too large")
    seen = make_observed(plan=make_plan_summary(several_pods=why))

    def told(observed: Observed, phase: Phase = Phase.MAPPING) -> list[tuple[str, str]]:
        status = build_status(observed, Verdict(phase=phase), NOW, None)
        return [(each["reason"], each["message"]) for each in status["conditions"] if each["type"] == "SeveralPods"]

    assert told(seen) == [("InputTooLarge", "too large")]
    assert told(make_observed()) == []
    status = build_status(seen, Verdict(phase=Phase.MAPPING), NOW, None)
    blind = make_observed(job=make_job(status=status), plan=None, is_store_unreadable=True)
    assert told(blind) == [("InputTooLarge", "too large")]
    assert told(blind, Phase.COMPLETE) == [("InputTooLarge", "too large")]
    following = make_observed(job=make_job(status=status, spec={"runId": "2"}), run_id="2", plan=None)
    assert told(following) == []


def test_a_spec_that_is_not_understood_is_told_until_it_is() -> None:
    observed = make_observed()
    odd = replace(observed, job=replace(observed.job, spec_error="spec.execution: Invalid enum value 'Never'"))
    status = build_status(odd, Verdict(phase=Phase.MAPPING), NOW, None)
    told = [condition for condition in status["conditions"] if condition["type"] == "SpecNotUnderstood"]
    assert [condition["status"] for condition in told] == ["True"]
    assert told[0]["message"].startswith(
        "spec.execution: Invalid enum value 'Never'; the job goes on with its last spec"
    )
    mended = replace(observed, job=replace(observed.job, status=status))
    after = build_status(mended, Verdict(phase=Phase.MAPPING), NOW, None)
    assert "SpecNotUnderstood" not in {condition["type"] for condition in after["conditions"]}


def test_a_clean_up_that_fails_is_told_in_the_same_words_until_it_succeeds() -> None:
    run = RunState(run_id="1", started_at=0.0, terminal="Complete", reason="OutputCommitted", completed_at=1.0)
    verdict = Verdict(phase=Phase.COMPLETE, reason="OutputCommitted")
    status: dict[str, Any] = {}
    told = []
    for words in ("request 1", "request 2", None):
        faults = () if words is None else (Fault(reason="StorageDenied", message=words, permanent=True),)
        observed = make_observed(job=make_job(status=status), run=run, faults=faults)
        status = build_status(observed, verdict, NOW, None)
        told.append([each["message"] for each in status["conditions"] if each["type"] == "CleanupFailed"])
    text = "request 1; tried again at least once an hour until 1970-01-02T00:00:01Z"
    assert told == [[text], [text], []]


def test_the_heaviest_keys_are_shown_with_their_share_and_partition() -> None:
    skew = (HeavyKeyView(key="the", share=0.41449, partition=3), HeavyKeyView(key="of", share=0.1))
    status = build_status(make_observed(skew=skew), Verdict(phase=Phase.MAPPING), NOW, None)
    assert status["skew"] == [{"key": "the", "share": 0.414, "partition": 3}, {"key": "of", "share": 0.1}]


def test_without_heavy_keys_nothing_is_said_of_them() -> None:
    assert "skew" not in build_status(make_observed(), Verdict(phase=Phase.MAPPING), NOW, None)


def test_skipped_records_are_counted_and_found_by_the_status() -> None:
    commits = [make_commit(map_task(index), quarantine=make_quarantine(3)) for index in range(2)]
    observed = make_observed(commits=commits, quarantine_uri="s3://work/run/quarantine/")
    status = build_status(observed, Verdict(phase=Phase.MAPPING), NOW, None)
    assert status["badRecords"] == {"count": 6, "uri": "s3://work/run/quarantine/"}
    assert status["counters"]["podreduce"]["mapBadRecords"] == 6


def test_an_attempt_with_too_many_bad_records_shows_where_they_are_though_it_does_not_count() -> None:
    failures = [make_failure(reason="TooManyBadRecords", bad_records=11)]
    observed = make_observed(failures=failures, quarantine_uri="s3://work/run/quarantine/")
    status = build_status(observed, Verdict(phase=Phase.FAILED, reason="TooManyBadRecords"), NOW, None)
    assert status["badRecords"] == {"count": 0, "uri": "s3://work/run/quarantine/"}


def test_without_bad_records_nothing_is_said_of_them() -> None:
    observed = make_observed(commits=[make_commit()], quarantine_uri="s3://work/run/quarantine/")
    status = build_status(observed, Verdict(phase=Phase.MAPPING), NOW, None)
    assert "badRecords" not in status
    assert "mapBadRecords" not in status["counters"]["podreduce"]


@pytest.mark.parametrize("letter", ["x", "é", "語", "😀"])
@pytest.mark.parametrize("last_message", ["whole", "short", "without a traceback"])
def test_the_status_stays_under_ten_kilobytes_whatever_happens(letter: str, last_message: str) -> None:
    long = letter * 5000
    commits = [
        make_commit(
            map_task(index),
            counters={f"group{index % 50}": {f"name{index % 97}" * 20: 1}},
            quarantine=make_quarantine(2**50),
        )
        for index in range(0, 20_000, 2)
    ]
    failures = [
        make_failure(map_task(index), ordinal=ordinal, finished_at=index, message=long, traceback=long, record=long)
        for index in range(1, 200, 2)
        for ordinal in range(5)
    ]
    if last_message != "whole":
        traceback, message = ("", long) if last_message == "without a traceback" else (long, "short")
        failures.append(make_failure(finished_at=999, message=message, traceback=traceback, record=long))
    skew = tuple(HeavyKeyView(key="é" * 100, share=0.123456, partition=4095) for _ in range(5))
    observed = make_observed(
        commits=commits,
        failures=failures,
        plan=make_plan_summary(shards=20_000),
        skew=skew,
        quarantine_uri=f"s3://work/{long}/quarantine/",
        post_mortem=PostMortemView(uri=f"s3://{'w' * 251}", attempts_uri=f"s3://{'w' * 251}"),
    )
    status = build_status(observed, Verdict(phase=Phase.FAILED, reason="ProgramError", message=long), NOW, None)
    running = build_status(observed, Verdict(phase=Phase.MAPPING, reason="ProgramError", message=long), NOW, None)
    assert "wave" in running
    for each in (status, running):
        assert len(json.dumps(each, ensure_ascii=False).encode()) < 10_240
    assert len(status["failures"]) == 10
    assert any("traceback" in failure for failure in status["failures"])
    assert status["failures"][0]["record"]


def test_a_new_failure_and_a_new_phase_are_told_once() -> None:
    observed = make_observed()
    before = build_status(observed, Verdict(phase=Phase.MAPPING), NOW, None)
    failed = make_observed(failures=[make_failure(reduce_task(0))])
    after = build_status(failed, Verdict(phase=Phase.REDUCING, reduce_total=1), NOW, None)
    assert [(event.kind, event.reason) for event in events_between(before, after)] == [
        ("Warning", "AttemptFailed"),
        ("Normal", "Reducing"),
    ]
    assert events_between(after, after) == []


def ready(reason: str, *, reconciling: bool, told: str = "StorageUnavailable") -> dict[str, Any]:
    """A status that says why it is not ready, behind a condition of another kind."""
    return {
        "phase": "Mapping",
        "runId": "1",
        "conditions": [
            {"type": "SpecChanged", "status": "True", "reason": "PinnedByPlan", "message": ""},
            {"type": "Ready", "status": "False", "reason": reason, "message": "words"},
            {"type": "Reconciling", "status": "True" if reconciling else "False", "reason": told, "message": ""},
        ],
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            ready("Mapping", reconciling=True, told="Mapping"),
            ready("StorageUnavailable", reconciling=True),
            [("Warning", "StorageUnavailable")],
        ),
        (ready("StorageUnavailable", reconciling=True), ready("StorageUnavailable", reconciling=True), []),
        (
            ready("StorageUnavailable", reconciling=True),
            ready("Mapping", reconciling=True, told="Mapping"),
            [("Normal", "Mapping")],
        ),
        (
            ready("StorageUnavailable", reconciling=True),
            ready("Suspended", reconciling=False),
            [("Normal", "Suspended")],
        ),
    ],
    ids=["it comes", "it stays", "it is over", "the run stands still"],
)
def test_a_fault_that_holds_a_run_up_is_told_as_it_comes_and_as_it_goes(
    before: dict[str, Any], after: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    assert [(event.kind, event.reason) for event in events_between(before, after)] == told


def test_a_map_only_job_has_no_reduces_to_show() -> None:
    plan = make_plan_summary(shards=1, partitions=None)
    observed = make_observed(
        plan=plan, commits=[make_commit(map_task(0), blob=None, part=make_commit(reduce_task(0)).part)]
    )
    verdict = run_wave(observed, plan, NOW).verdict
    assert (verdict.map_total, verdict.reduce_total) == (1, 0)
    assert build_status(observed, verdict, NOW, None)["reduce"]["total"] == 0


def test_counters_of_committed_attempts_are_added_up() -> None:
    commits = [
        make_commit(TaskRef(type=TaskType.MAP, index=index), records_in=10, counters={"words": {"long": 2}})
        for index in range(3)
    ]
    status = build_status(make_observed(commits=commits), Verdict(phase=Phase.MAPPING), NOW, None)
    assert status["counters"]["words"] == {"long": 6}
    assert status["counters"]["podreduce"]["mapRecordsIn"] == 30


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(("wanted", "has_post_mortem"), [(None, False), (1000, False), (1001, True)])
def test_a_running_job_is_told_that_it_may_have_fewer_pods_than_it_wants(
    phase: Phase, wanted: int | None, has_post_mortem: bool
) -> None:
    spec = {} if wanted is None else {"parallelism": wanted}
    observed = make_observed(spec=spec, limits=Limits(parallelism=1000))
    status = build_status(observed, Verdict(phase=phase, map_total=2, reduce_total=1), NOW, None)
    messages = {each["message"] for each in status["conditions"]}
    hint = "spec.parallelism is 1,001, and the installation allows 1,000 pods for each job"
    told = any(message.endswith((f" tasks committed; {hint}", f" task committed; {hint}")) for message in messages)
    assert told == (has_post_mortem and phase in {Phase.MAPPING, Phase.REDUCING})


@pytest.mark.parametrize(("value", "shown"), [(10**300, (1 << 63) - 1), (-(10**300), -((1 << 63) - 1))])
def test_a_counter_is_never_more_than_the_api_server_takes(value: int, shown: int) -> None:
    observed = make_observed(plan=make_plan_summary(), commits=[make_commit(counters={"g": {"n": value}})])
    status = build_status(observed, Verdict(phase=Phase.MAPPING, map_total=2, reduce_total=1), NOW, None)
    assert status["counters"]["g"] == {"n": shown}


def test_how_a_run_ended_stays_told_while_a_new_one_takes_its_place() -> None:
    old = build_status(make_observed(published=make_published()), Verdict(phase=Phase.COMPLETE), NOW, None)
    observed = make_observed(job=make_job(status=old), run_id="2", run=RunState(run_id="2"), superseded="1")
    replacing = build_status(observed, Verdict(phase=Phase.PLANNING, reason="Superseding"), NOW + 60, None)
    assert replacing["runId"] == "1"
    held = {kind for kind, value in conditions(replacing).items() if value == "True"}
    assert held == {"Complete", "Reconciling"}


PUBLISHING_CASES: dict[str, tuple[str | None, dict[str, Any], Phase, str | None]] = {
    "a run that has just begun": (None, {}, Phase.PLANNING, "False"),
    "a run whose store was never read": (None, {"is_store_unreadable": True}, Phase.PLANNING, None),
    "a run that is about to write its intent": ("False", {}, Phase.COMMITTING, "True"),
    "a run of an earlier release past its intent": (None, {"has_intent": True}, Phase.COMMITTING, "True"),
    "a run that has lost a part before its intent": ("True", {}, Phase.REDUCING, "True"),
    "a run that may have published": ("True", {"is_store_unreadable": True}, Phase.PLANNING, "True"),
    "a run that has not published": ("False", {"is_store_unreadable": True}, Phase.PLANNING, "False"),
    "a run that is replaced": ("True", {"superseded": "1", "run_id": "2"}, Phase.PLANNING, "True"),
    "a run that has ended": ("True", {}, Phase.COMPLETE, None),
}


@pytest.mark.parametrize(("before", "fields", "phase", "after"), PUBLISHING_CASES.values(), ids=PUBLISHING_CASES.keys())
def test_the_status_says_that_a_run_publishes_and_never_takes_it_back(
    before: str | None, fields: dict[str, Any], phase: Phase, after: str | None
) -> None:
    known = [] if before is None else [{"type": "Publishing", "status": before, "lastTransitionTime": "2026"}]
    job = make_job(status={"runId": "1", "conditions": known})
    status = build_status(make_observed(job=job, **fields), Verdict(phase=phase), NOW, None)
    told = {each["type"]: each["status"] for each in status["conditions"]}
    assert told.get("Publishing") == after


def test_a_new_run_has_not_published_whatever_the_one_before_did() -> None:
    known = [{"type": "Publishing", "status": "True", "lastTransitionTime": "2026"}]
    job = make_job(status={"runId": "1", "conditions": known})
    status = build_status(make_observed(job=job, run_id="2"), Verdict(phase=Phase.PLANNING), NOW, None)
    assert {each["type"]: each["status"] for each in status["conditions"]}["Publishing"] == "False"


def test_how_far_the_tasks_are_is_gone_when_the_run_has_ended_and_not_of_another_run() -> None:
    running = build_status(make_observed(commits=[make_commit()]), Verdict(phase=Phase.MAPPING), NOW, None)
    assert running["wave"]["percent"] == 50
    job = make_job(status=running)
    for phase in (Phase.COMPLETE, Phase.FAILED, Phase.SUSPENDED):
        assert "wave" not in build_status(make_observed(job=job), Verdict(phase=phase), NOW, None)
    other = make_observed(job=job, run_id="2", run=RunState(run_id="2"))
    assert build_status(other, Verdict(phase=Phase.MAPPING), NOW, None)["wave"]["percent"] == 0
