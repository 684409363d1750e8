from typing import Any

import pytest

from podreduce_operator.cli.report import render_success
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import PublishedOutput, RunState
from podreduce_operator.policy.empty_output import EMPTY_OUTPUT, describe_empty_output
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.run_state import find_condition
from podreduce_operator.policy.status import build_status
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_observed
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task, reduce_task


def complete(*, read: int, mapped: int, written: int, phase: Phase = Phase.COMPLETE) -> dict[str, Any]:
    """Return the status of a run that read, mapped and wrote so many records."""
    commits = (
        make_commit(map_task(0), records_in=read, records_out=mapped),
        make_commit(reduce_task(0), records_in=mapped, records_out=written),
    )
    output = PublishedOutput(uri="s3://corpus/counts/", records=written, bytes=written)
    return build_status(make_observed(commits=commits, published=output), Verdict(phase=phase), 100.0, None)


MAP_LOST = "the map yielded nothing for any of 7,381 records read: "
REDUCE_LOST = "the reduce yielded nothing, although the map yielded 12 records: "


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"read": 7381, "mapped": 0, "written": 0}, MAP_LOST),
        ({"read": 7381, "mapped": 12, "written": 0}, REDUCE_LOST),
        ({"read": 7381, "mapped": 12, "written": 1}, None),
        ({"read": 0, "mapped": 0, "written": 0}, None),
    ],
    ids=["map", "reduce", "some", "empty-input"],
)
def test_a_complete_run_that_lost_every_record_warns_in_status_events_and_report(
    records: dict[str, int], expected: str | None
) -> None:
    status = complete(**records)
    condition = find_condition(status, EMPTY_OUTPUT)
    warned = [event.message for event in events_between({}, status) if event.kind == "Warning"]
    report = render_success("words", status, 1.0)
    if expected is None:
        assert (condition, warned, "warning" in report) == (None, [], False)
        return
    assert condition is not None
    assert condition["message"].startswith(expected)
    assert warned == [condition["message"]]
    assert f"warning: {condition['message']}" in report.splitlines()
    assert events_between(status, status) == []


def test_a_run_in_progress_does_not_warn() -> None:
    status = complete(read=5, mapped=0, written=0, phase=Phase.COMMITTING)
    assert find_condition(status, EMPTY_OUTPUT) is None
    assert describe_empty_output({}) == ""


def test_the_warning_stays_when_the_records_are_gone() -> None:
    first = complete(read=5, mapped=0, written=0)
    ended = RunState(run_id="1", terminal="Complete", reason="OutputCommitted", completed_at=100.0)
    later = make_observed(job=make_job(status=first), run=ended, plan=None, is_store_unreadable=True, is_at_rest=True)
    status = build_status(later, Verdict(phase=Phase.COMPLETE), 9999.0, None)
    assert find_condition(status, EMPTY_OUTPUT) == find_condition(first, EMPTY_OUTPUT)
