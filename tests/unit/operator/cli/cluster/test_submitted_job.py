"""What `podreduce submit` says after it has applied a job, and while it waits, on an API server of a few lines."""

from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.cli.cluster.connection import open_connection
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.submitted_job import describe_applied, keep_run_id
from podreduce_operator.cli.cluster.waiting import describe_with_tasks
from podreduce_operator.digests.pinned_digests import digest_pinned
from tests.support.job_manifests import (
    FAILURE,
    NAMESPACE,
    complete_job,
    failed_job,
    make_job,
    running_job,
    suspended_job,
)
from tests.support.kube_api import serve

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
    ("known", "named", "sent"),
    [("3", None, "3"), ("3", "4", "4"), ("1", None, None), (None, None, None)],
    ids=["kept", "named", "first", "new"],
)
async def test_a_submission_that_names_no_run_keeps_the_one_of_the_cluster(
    known: str | None, named: str | None, sent: str | None, tmp_path: Path
) -> None:
    """Otherwise applying the job would bring back its first run."""
    job = make_job(**({} if named is None else {"runId": named}))
    if named is None:
        del job["spec"]["runId"]
    async with serve(tmp_path) as api:
        if known is not None:
            api.put(complete_job() | {"spec": {**make_job()["spec"], "runId": known}})
        async with open_connection(Place(kubeconfig=api.kubeconfig, namespace=NAMESPACE)) as connection:
            assert (await keep_run_id(connection, job))["spec"].get("runId") == sent


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
        (
            running_job()
            | {
                "status": running_job()["status"] | {"failures": [FAILURE | {"message": f"{FAILURE['message']}\nmore"}]}
            },
            f"Mapping; 1 failed attempt, the last of m-3: {FAILURE['message']}, map 4/16, reduce 0/4",
        ),
    ],
    ids=["untaken", "running", "waiting", "of-another-run", "failing"],
)
def test_where_a_run_stands_is_told_with_its_tasks_and_why_it_waits(job: dict[str, Any], said: str) -> None:
    assert describe_with_tasks(job) == said
