from typing import Any

import pytest

from podreduce_operator.cli.cluster.status_tree import build_job, build_schedule
from podreduce_operator.cli.cluster.tree import draw
from podreduce_operator.model.pods import PodPhase
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task
from tests.support.job_manifests import GIBI, NOW, complete_job, failed_job, make_job, make_schedule, running_job

PODS = [
    make_pod(map_task(4), node="node-1", started_at=NOW - 20, created_at=NOW - 30),
    make_pod(map_task(5), node="node-2", started_at=NOW - 90, created_at=NOW - 95),
    make_pod(
        map_task(6),
        phase=PodPhase.PENDING,
        created_at=NOW - 60,
        reason="Unschedulable",
        message="0/3 nodes are available: 3 Insufficient memory.",
    ),
]


MAPS = "map 4/16 (31%), 4 active, 1 failed attempt, 1.2 GiB of 4.0 GiB, 11,250,000 records"
SPEED = "7.1 MiB/s, about 6 min 40 s left"


def draw_job(job: dict[str, Any], pods: Any = (), width: int | None = None) -> list[str]:
    return list(draw(build_job(job, pods, NOW), width))


def test_a_running_job_is_a_tree_of_its_tasks_and_pods_with_speed_and_time_left() -> None:
    assert draw_job(running_job(), PODS) == [
        "mrj/wordcount in team-a: Mapping, run 1, for 3 min 00 s",
        f"├─ {MAPS}, {SPEED}",
        "│  ├─ m-6, attempt 1, waits for 1 min 00 s: Unschedulable: 0/3 nodes are available: 3 Insufficient memory.",
        "│  ├─ m-5, attempt 1, runs on node-2 for 1 min 30 s",
        "│  └─ m-4, attempt 1, runs on node-1 for 20.0 s",
        "├─ reduce 0/4 (0%)",
        "└─ output s3://corpus/counts/: not published yet",
    ]


def test_a_wave_whose_speed_is_unknown_has_no_time_left() -> None:
    job = running_job()
    job["status"]["wave"] = {"tasks": "map", "percent": 0, "bytes": 0, "totalBytes": GIBI, "records": 0}
    assert "├─ map 4/16 (0%), 4 active, 1 failed attempt, 0 B of 1.0 GiB" in draw_job(job)


def test_what_an_operator_that_says_nothing_of_a_wave_has_committed_is_counted() -> None:
    job = running_job()
    del job["status"]["wave"]
    expected = "├─ map 4/16 (25%), 4 active, 1 failed attempt, 1.0 GiB of 4.0 GiB, 9,000,000 records"
    assert expected in draw_job(job)


def test_a_complete_job_says_what_it_wrote() -> None:
    assert draw_job(complete_job()) == [
        "mrj/wordcount in team-a: Complete, run 1, took 1 min 30 s",
        "├─ map 16/16 (100%), 4.0 GiB, 36,000,000 records",
        "├─ reduce 4/4 (100%)",
        "└─ output s3://corpus/counts/: 29,627 records, 390.6 KiB",
    ]


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (make_job(), "mrj/wordcount in team-a: no status yet, 3 min 20 s after it was created"),
        (failed_job(), "├─ failed: BackoffLimitExceeded: m-3 failed 5 times"),
        (running_job("QuotaExceeded", "full"), "├─ waits: QuotaExceeded: full"),
        (running_job(runId="2"), "├─ run 2 is asked for, and has not begun"),
    ],
    ids=["not-seen", "failed", "waits", "run-again"],
)
def test_what_a_job_waits_for_or_failed_with_is_there(job: dict[str, Any], line: str) -> None:
    assert line in draw_job(job)


def test_pods_that_may_not_be_listed_are_named_as_missing() -> None:
    assert "may not be listed" in draw_job(running_job(), None)[-1]


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_tree_fits_the_terminal_and_loses_no_word(width: int) -> None:
    lines = draw_job(running_job(), PODS, width)
    assert max(map(len, lines)) <= width
    words = " ".join(line.strip("│├└─ ") for line in lines).split()
    assert words == " ".join(line.strip("│├└─ ") for line in draw_job(running_job(), PODS)).split()


def test_more_pods_than_fit_are_counted() -> None:
    pods = [make_pod(map_task(index), node="n", started_at=NOW - index) for index in range(9)]
    assert "│  └─ … and 4 more pods" in draw_job(running_job(), pods)


def test_a_schedule_is_a_tree_of_its_times_and_jobs() -> None:
    job = build_job(complete_job("nightly-1"), [], NOW)
    assert list(draw(build_schedule(make_schedule(), [job], NOW), None))[:4] == [
        "mrs/nightly in team-a: active, 0 2 * * * (Europe/Berlin)",
        "├─ next: 2025-06-15T17:06:40Z (in 2 h 00 min)",
        "├─ last: 2025-06-15T14:56:40Z (10 min 00 s ago)",
        "└─ mrj/nightly-1 in team-a: Complete, run 1, took 1 min 30 s",
    ]
