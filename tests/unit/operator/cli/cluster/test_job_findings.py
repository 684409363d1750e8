import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.cli.cluster.event_list import Event
from podreduce_operator.cli.cluster.findings import Case, render_finding
from podreduce_operator.cli.cluster.job_findings import diagnose
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.remedies import CLUSTER_REMEDIES
from podreduce_operator.model.pods import PodPhase
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.job_manifests import (
    FAILURE,
    NOW,
    complete_job,
    condition,
    failed_job,
    make_job,
    make_wave,
    running_job,
    suspended_job,
    time_before,
)

TROUBLESHOOTING = Path(__file__).parents[5] / "docs" / "troubleshooting.md"


def make_case(job: dict[str, Any], **fields: Any) -> Case:
    return replace(Case(job=job, place=Place(namespace="team-a"), now=NOW), **fields)


def texts(case: Case) -> list[str]:
    return [finding.text for finding in diagnose(case)]


def test_a_failure_begins_with_the_programs_error_and_its_place_then_the_record_then_what_to_do() -> None:
    (finding,) = diagnose(make_case(failed_job()))
    assert list(render_finding(finding)) == [
        "wordcount.py:4: ValueError: invalid literal for int() with base 10: 'x'",
        "at the record: s3://corpus/books/a.txt at byte 7: 'oops'",
        f"what to do: {CLUSTER_REMEDIES['ProgramError']}; then apply the file, and podreduce rerun wordcount -n team-a",
        "next: podreduce logs wordcount m-3 -n team-a",
        "  in the task m-3 (wordcount-1f0c9a2b3d-m-3-1, exit code 64): ProgramError",
        "  Traceback (most recent call last):",
        '    File "wordcount.py", line 4, in map_func',
        "  ValueError: x",
        "  the run ended with BackoffLimitExceeded: m-3 failed 5 times",
        "  the same task again, here, in a debugger: podreduce replay wordcount m-3 --pdb -n team-a",
    ]


@pytest.mark.parametrize(
    ("task", "reason", "words"),
    [
        ("r-1", "ProgramError", "podreduce replay wordcount r-1 --maps --pdb -n team-a"),
        ("m-3", "InputError", "podreduce replay wordcount m-3 --pdb -n team-a"),
        ("m-3", "OutOfMemory", ""),
        ("m-3", "ImageUnavailable", ""),
    ],
)
def test_a_task_runs_again_here_if_the_program_or_its_input_is_at_fault(task: str, reason: str, words: str) -> None:
    failure = {**failed_job()["status"]["failures"][0], "task": task, "reason": reason}
    (finding,) = diagnose(make_case(failed_job(failures=[failure])))
    told = [line for line in finding.more if "replay" in line]
    assert [line.partition(": ")[2] for line in told] == ([words] if words else [])


@pytest.mark.parametrize(
    ("reason", "program", "words"),
    [
        ("ProgramError", {"source": ""}, "then apply the file, and podreduce rerun wordcount -n team-a"),
        ("ProgramError", {"archive": {}}, "then podreduce submit it again, with --set spec.runId=2"),
        ("PodConfigInvalid", {"archive": {}}, "then apply the file, and podreduce rerun wordcount -n team-a"),
        ("OutputExists", {"source": ""}, "then podreduce rerun wordcount --replace -n team-a"),
        ("StorageDenied", {"archive": {}}, "then podreduce rerun wordcount -n team-a"),
    ],
)
def test_the_next_run_has_what_was_corrected(reason: str, program: dict[str, Any], words: str) -> None:
    """A run takes its program from the cluster: a file that is corrected here must get there first."""
    job = failed_job(failures=[], conditions=[condition("Failed", reason, "so")])
    (finding,) = diagnose(make_case({**job, "spec": {**job["spec"], "program": program}}))
    assert finding.remedy.endswith(words)


@pytest.mark.parametrize("reason", ["ImageUnavailable", "PodConfigInvalid"])
def test_an_attempt_that_never_ran_has_events_and_no_log(reason: str) -> None:
    failure = {**failed_job()["status"]["failures"][0], "reason": reason}
    (finding,) = diagnose(make_case(failed_job(failures=[failure])))
    assert finding.command == "podreduce events wordcount -n team-a"


@pytest.mark.parametrize(("is_planned", "told"), [(False, 1), (True, 2)])
def test_a_store_that_refuses_a_job_is_told_once(told: int, *, is_planned: bool) -> None:
    conditions = [
        condition("Failed", "StorageDenied", "no such key"),
        condition("CleanupFailed", "StorageDenied", "no"),
    ]
    job = failed_job(failures=[], conditions=conditions)
    if not is_planned:
        job["status"].pop("planDigest", None)
    else:
        job["status"]["planDigest"] = "0" * 64
    assert len(diagnose(make_case(job))) == told


def test_a_failure_without_an_attempt_is_the_conditions() -> None:
    ended = [condition("Failed", "OutputExists", "s3://corpus/counts/ holds part-r-00000.txt")]
    (finding,) = diagnose(make_case(failed_job(failures=[], conditions=ended)))
    assert finding.text == "OutputExists: s3://corpus/counts/ holds part-r-00000.txt"
    assert "--replace" in finding.remedy


def test_a_job_that_nobody_has_taken_is_found_after_some_seconds() -> None:
    warned = Event(
        at=NOW, about="mrj/wordcount", kind="Warning", reason="LeftAlone", message="it is another's", count=1
    )
    (finding,) = diagnose(make_case(make_job(), events=[warned]))
    assert finding.text == "no operator has taken this job in 3 min 20 s"
    assert finding.details == ["event LeftAlone: it is another's"]
    new = make_job()
    new["metadata"]["creationTimestamp"] = time_before(2)
    assert texts(make_case(new)) == ["nothing is wrong: it is not begun, and nothing keeps it"]


@pytest.mark.parametrize(
    ("phases", "age", "is_told"),
    [
        (["SUCCEEDED", "FAILED"], 390, True),
        ([], 390, True),
        (["SUCCEEDED", "FAILED"], 20, False),
        (["SUCCEEDED", "RUNNING"], 390, False),
        (["PENDING"], 390, False),
    ],
)
def test_ends_that_nobody_takes_note_of_mean_that_the_operator_is_gone(
    phases: list[str], age: float, *, is_told: bool
) -> None:
    job = running_job()
    job["status"]["wave"] = make_wave(observedAt=time_before(age))
    pods = [make_pod(map_task(index), phase=PodPhase[phase]) for index, phase in enumerate(phases)]
    found = [text for text in texts(make_case(job, pods=pods)) if "no operator has noticed" in text]
    told = ["all its pods have ended, and no operator has noticed: its status is of 6 min 30 s ago"]
    assert found == (told if is_told else [])
    assert "no operator" not in "".join(texts(make_case(job, unknown=["the pods were not listed"])))


def test_every_reason_that_the_docs_have_for_jobs_has_a_remedy() -> None:
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    tables = re.findall(r"## Reasons: the job (?:failed|waits)\n(.*?)\n## ", text, re.DOTALL)
    rows = [line.split("|")[1] for table in tables for line in table.splitlines() if line.startswith("| `")]
    reasons = {reason for row in rows for reason in re.findall(r"`(\w+)`", row)}
    assert len(reasons) > 40
    assert reasons - set(CLUSTER_REMEDIES) == {"ProcessNotStarted", "Superseding"}  # locally; over in seconds


def test_what_the_operator_waits_for_comes_with_its_remedy() -> None:
    job = running_job("QuotaExceeded", "pods of team-a/wordcount cannot be created now: exceeded quota: few")
    waiting = diagnose(make_case(job))[0]
    assert waiting.text.startswith("it waits: QuotaExceeded: pods of team-a/wordcount")
    assert waiting.remedy == CLUSTER_REMEDIES["QuotaExceeded"]
    assert waiting.command == "podreduce events wordcount -n team-a"


def test_pods_that_do_not_start_are_found_before_the_operator_says_so() -> None:
    pods = [
        make_pod(
            map_task(index),
            phase=PodPhase.PENDING,
            created_at=NOW - 60,
            reason="ImagePullBackOff",
            message="no such image",
        )
        for index in range(3)
    ]
    found = [finding for finding in diagnose(make_case(running_job(), pods=pods)) if "waits" in finding.text]
    assert [finding.text for finding in found] == [
        f"pod {pods[0].name} (and 2 more) waits: ImagePullBackOff: no such image"
    ]
    assert found[0].remedy == CLUSTER_REMEDIES["ImageUnavailable"]
    told = running_job("ImageUnavailable", "pod x waits: ImagePullBackOff")
    assert len([text for text in texts(make_case(told, pods=pods)) if "waits" in text]) == 1


def test_a_task_that_runs_much_longer_than_the_others_is_named() -> None:
    ages = {0: 900.0, 1: 100.0, 2: 120.0, 3: 110.0}
    pods = [
        make_pod(map_task(index), node="slow" if age > 500 else "n", started_at=NOW - age)
        for index, age in ages.items()
    ]
    pods.append(make_pod(reduce_task(0), node="n", started_at=NOW - 5000))
    (slow,) = [finding for finding in diagnose(make_case(running_job(), pods=pods)) if "runs for" in finding.text]
    assert slow.text.startswith("m-0 runs for 15 min 00 s on slow")
    assert slow.command == "podreduce logs wordcount m-0 -n team-a"


def test_a_heavy_key_and_a_low_parallelism_are_found() -> None:
    job = running_job(parallelism=4)
    job["status"]["skew"] = [{"key": "'the'", "share": 0.61, "partition": 2}]
    found = texts(make_case(job))
    assert "the key 'the' has 61% of the shuffled data, and r-2 takes it all" in found
    assert "12 map tasks left, and spec.parallelism lets 4 run at a time" in found


def test_failed_attempts_of_a_run_that_goes_on_say_when_they_are_tried_again() -> None:
    job = running_job()
    job["status"] |= {"failures": [FAILURE], "nextAttemptAt": time_before(-5)}
    (finding,) = diagnose(make_case(job))
    assert finding.text == "1 attempt failed, and the tasks are tried again"
    assert finding.details[-1] == f"the next attempt begins at {time_before(-5)}"


def test_a_suspended_job_and_a_complete_one_have_a_next_command() -> None:
    assert [finding.command for finding in diagnose(make_case(suspended_job()))] == [
        "podreduce resume wordcount -n team-a"
    ]
    (done,) = diagnose(make_case(complete_job()))
    assert done.text == "it is complete, in 1 min 30 s: 29,627 records in s3://corpus/counts/"


def test_a_complete_run_that_wrote_nothing_says_so() -> None:
    job = complete_job()
    job["status"]["conditions"].append(condition("EmptyOutput", "NothingYielded", "the map yielded nothing"))
    assert texts(make_case(job))[1:] == ["EmptyOutput: the map yielded nothing"]


def test_why_a_job_does_not_run_in_one_pod_comes_last_and_is_no_fault() -> None:
    job = running_job()
    before = texts(make_case(job))
    told = condition("SeveralPods", "SeveralTasksAsked", "spec.map.shards asks for 3 map tasks, and the rest")
    job["status"]["conditions"].append(told)
    *others, last = diagnose(make_case(job))
    assert [each.text for each in others] == before
    assert last.text == "several pods: spec.map.shards asks for 3 map tasks, and the rest"
    assert last.remedy.startswith("leave these fields out if the work is short")


@pytest.mark.parametrize(
    "job",
    [make_job(), running_job(), complete_job(), failed_job(), suspended_job(), running_job(runId="2")],
    ids=["new", "running", "complete", "failed", "suspended", "run-again"],
)
def test_there_is_always_something_to_say(job: dict[str, Any]) -> None:
    found = diagnose(make_case(job))
    assert found
    assert all(finding.text.strip() for finding in found)


@pytest.mark.parametrize("reason", CLUSTER_REMEDIES)
def test_a_reason_with_a_remedy_is_one_that_the_docs_know(reason: str) -> None:
    assert f"`{reason}`" in TROUBLESHOOTING.read_text(encoding="utf-8")
