from typing import Any

import pytest

from podreduce_operator.cli.cluster.run_facts import (
    Ending,
    find_ending,
    find_wait,
    is_wanted_run,
    read_duration,
    status_of,
)
from tests.support.job_manifests import NOW, complete_job, condition, failed_job, make_job, running_job, suspended_job


def with_spec(job: dict[str, Any], generation: int = 2, **spec: Any) -> dict[str, Any]:
    """The job after a change of its spec that the operator has not seen."""
    return job | {"spec": job["spec"] | spec, "metadata": job["metadata"] | {"generation": generation}}


@pytest.mark.parametrize(
    ("job", "ending"),
    [
        (make_job(), None),
        (running_job(), None),
        (complete_job(), Ending.COMPLETE),
        (failed_job(), Ending.FAILED),
        (suspended_job(), Ending.SUSPENDED),
        (with_spec(complete_job(), runId="2"), None),
        (with_spec(failed_job(), runId="2"), None),
        (with_spec(complete_job(), parallelism=3), Ending.COMPLETE),
        (with_spec(complete_job(), suspend=True), Ending.COMPLETE),
        (with_spec(suspended_job(), suspend=False), None),
        (with_spec(running_job(), suspend=True), None),
    ],
    ids=[
        "not-seen",
        "running",
        "complete",
        "failed",
        "suspended",
        "complete-and-run-again",
        "failed-and-run-again",
        "complete-and-changed",
        "complete-and-suspended",
        "just-resumed",
        "just-suspended",
    ],
)
def test_a_run_is_at_rest_only_if_the_status_is_of_the_run_that_the_spec_names(
    job: dict[str, Any], ending: Ending | None
) -> None:
    assert find_ending(job) is ending


def test_a_run_that_failed_before_its_plan_goes_on_once_the_spec_is_corrected() -> None:
    job = failed_job()
    del job["status"]["planDigest"]
    assert find_ending(job) is Ending.FAILED
    assert find_ending(with_spec(job)) is None


def test_a_phase_is_no_reason_to_wait() -> None:
    assert find_wait(status_of(running_job())) == ("", "")
    assert find_wait(status_of(running_job("QuotaExceeded", "full"))) == ("QuotaExceeded", "full")


def test_a_run_takes_until_its_end_or_until_now() -> None:
    assert read_duration(status_of(complete_job()), NOW) == 90
    assert read_duration(status_of(running_job()), NOW) == 180
    assert read_duration({}, NOW) is None


def test_with_on_change_an_edit_that_the_operator_has_not_seen_may_be_a_new_run() -> None:
    job = complete_job(runId="1-g2", specRunId="1")
    job["spec"] = {**job["spec"], "runPolicy": "OnChange"}
    assert find_ending(job) is Ending.COMPLETE
    job["metadata"]["generation"] = 3
    assert find_ending(job) is None
    job["spec"]["runPolicy"] = "OnRunId"
    assert find_ending(job) is Ending.COMPLETE


def test_a_run_that_is_being_replaced_is_not_the_end() -> None:
    job = complete_job(runId="1-g2", specRunId="1")
    job["status"]["conditions"].append(condition("Reconciling", "Superseding", "run 1-g2 is being discarded"))
    assert find_ending(job) is None


def test_a_run_is_the_wanted_one_if_it_was_made_for_the_run_id_in_the_spec() -> None:
    assert is_wanted_run(complete_job(runId="1-g2", specRunId="1"))
    assert not is_wanted_run(complete_job(runId="2-g2", specRunId="2"))
    assert not is_wanted_run(complete_job(runId="1-g2"))
    assert not is_wanted_run(make_job())
