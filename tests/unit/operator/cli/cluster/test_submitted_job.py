"""What `podreduce submit` says after it has applied a job, and while it waits, on an API server of a few lines."""

from typing import Any

import pytest

from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.submitted_job import describe_applied
from podreduce_operator.cli.cluster.waiting import describe_with_tasks
from podreduce_operator.digests.pinned_digests import digest_pinned
from tests.support.job_manifests import complete_job, failed_job, make_job, running_job, suspended_job

APPLIED = "mrj/wordcount in the namespace team-a is applied; "
UNRUN = ", and what you have changed has not run"
AGAIN = "submit with --set spec.runId=2"
ANOTHER = "0" * 32


def planned(job: dict[str, Any], digest: str = "", **spec: Any) -> dict[str, Any]:
    """Return the job with the digest of the spec that its run was planned with: its own, or another one."""
    job["spec"] |= spec
    job["status"]["digests"] = {"spec": digest or digest_pinned(job["spec"])}
    return job


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (make_job(), "to see it: podreduce status wordcount --watch"),
        (planned(running_job()), "to see it: podreduce status wordcount --watch"),
        (
            planned(running_job(), ANOTHER),
            f"its run 1 goes on as it was planned: to run what you have changed, {AGAIN}",
        ),
        (planned(running_job(), ANOTHER, runId="2"), "to see it: podreduce status wordcount --watch"),
        (planned(running_job(), ANOTHER, runPolicy="OnChange"), "to see it: podreduce status wordcount --watch"),
        (
            planned(complete_job()),
            f"its run 1 has ended already (Complete): to run it again, {AGAIN}",
        ),
        (
            planned(failed_job(), ANOTHER),
            f"its run 1 has ended already (Failed){UNRUN}: to run it again, {AGAIN}",
        ),
        (planned(suspended_job()), "to see it: podreduce status wordcount --watch"),
    ],
    ids=["new", "again", "changed", "new-run", "on-change", "complete", "failed-and-changed", "suspended"],
)
def test_a_submission_says_what_comes_of_it_and_the_next_command(job: dict[str, Any], said: str) -> None:
    assert describe_applied(Place(), job) == f"{APPLIED}{said}"


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (make_job(), "no status yet"),
        (running_job(), "Mapping, map 4/16, reduce 0/4"),
        (
            running_job("ImageUnavailable", "no such image"),
            "Mapping; ImageUnavailable: no such image, map 4/16, reduce 0/4",
        ),
        (running_job(runId="2"), "run 2 has not begun"),
    ],
    ids=["untaken", "running", "waiting", "of-another-run"],
)
def test_where_a_run_stands_is_told_with_its_tasks_and_why_it_waits(job: dict[str, Any], said: str) -> None:
    assert describe_with_tasks(job) == said
