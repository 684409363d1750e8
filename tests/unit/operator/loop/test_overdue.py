"""How long passes are overdue, by the times at which they are due and end."""

from random import Random

import pytest

from podreduce_operator.loop.reconcile import JobWorker, Reconciler
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.limits import Limits
from podreduce_operator.process.health import MAX_OVERDUE_SECONDS
from tests.support.quiet_cluster import QuietCluster


def make_reconciler(now: list[float]) -> Reconciler:
    return Reconciler(QuietCluster(), limits=Limits(), monotonic=lambda: now[0])


@pytest.mark.parametrize("jobs", [1, 100, 1000, 5000])
def test_jobs_that_wait_for_one_slow_store_are_not_overdue(jobs: int) -> None:
    """The store answers no request; each pass makes three of 40 s, and 64 are made at a time."""
    now = [0.0]
    reconciler, random = make_reconciler(now), Random(jobs)  # noqa: S311 - not a secret
    keys = [JobKey(namespace="slow", name=f"job-{number}") for number in range(jobs)]
    reconciler.passes.workers = {key: JobWorker(due_at=0.0) for key in keys}
    random.shuffle(keys)
    longest = 0.0
    for number, key in enumerate(keys):
        now[0] = max(120.0, number * 3 * 40.0 / 64)
        if number % 100 == 0:
            longest = max(longest, reconciler.passes.overdue_seconds())
        reconciler.passes.passed_at[key.namespace] = now[0]
        reconciler.passes.workers[key].due_at = now[0] + 60
    assert longest < MAX_OVERDUE_SECONDS / 10


def test_a_pass_without_an_end_is_overdue_whatever_other_namespaces_do() -> None:
    now = [0.0]
    reconciler = make_reconciler(now)
    reconciler.passes.workers = {
        JobKey(namespace="stuck", name="a"): JobWorker(due_at=10.0),
        JobKey(namespace="well", name="b"): JobWorker(due_at=4000.0),
    }
    now[0] = 3000.0
    reconciler.passes.passed_at["well"] = 2999.0
    assert reconciler.passes.overdue_seconds() == 2990.0


def test_a_pass_that_others_of_its_namespace_hide_is_shown() -> None:
    now = [0.0]
    reconciler = make_reconciler(now)
    assert reconciler.passes.oldest_pass_seconds() == 0.0
    reconciler.passes.workers = {
        JobKey(namespace="busy", name="stuck"): JobWorker(due_at=10.0),
        JobKey(namespace="busy", name="well"): JobWorker(due_at=3010.0),
    }
    now[0] = 3000.0
    reconciler.passes.passed_at["busy"] = 2999.0
    assert (reconciler.passes.overdue_seconds(), reconciler.passes.oldest_pass_seconds()) == (1.0, 2990.0)


def test_namespaces_without_jobs_are_forgotten() -> None:
    now = [0.0]
    reconciler = make_reconciler(now)
    reconciler.passes.passed_at = {f"gone-{number}": 0.0 for number in range(100)}
    assert reconciler.passes.overdue_seconds() == 0.0
    assert reconciler.passes.passed_at == {}
