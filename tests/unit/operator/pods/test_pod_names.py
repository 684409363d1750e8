import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.pods.pod_names import (
    GENERATION_LABEL,
    JOB_LABEL,
    ORDINAL_LABEL,
    RUN_HASH_LABEL,
    TASK_INDEX_LABEL,
    AttemptLabels,
    bounded_name,
    hash_run,
    job_selector,
    managed_selector,
    parse_labels,
    pod_labels,
    pod_name,
)

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

job_names = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?){0,3}", fullmatch=True
)
tasks = st.builds(TaskRef, type=st.sampled_from(TaskType), index=st.integers(0, 99_999))
ordinals = st.integers(1, 9999)

M_3 = TaskRef(type=TaskType.MAP, index=3)


def test_a_pods_name_tells_job_run_task_and_attempt() -> None:
    run_hash = hash_run("6f0c4a52", "1")
    assert pod_name("wordcount", run_hash, M_3, 1) == f"wordcount-{run_hash}-m-3-1"


@given(job_names, tasks, ordinals)
def test_names_and_labels_are_valid_however_long_the_jobs_name(job: str, task: TaskRef, ordinal: int) -> None:
    run_hash = hash_run("uid", "1")
    name = pod_name(job, run_hash, task, ordinal)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= 63
    attempt = AttemptLabels(run_hash=run_hash, task=task, ordinal=ordinal, generation=0)
    assert all(LABEL_VALUE.fullmatch(value) and len(value) <= 63 for value in pod_labels(job, attempt).values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "uid", "1", M_3, 1), ("a", "uid", "1", M_3, 2), id="ordinal"),
        pytest.param(("a", "uid", "1", M_3, 1), ("a", "uid", "2", M_3, 1), id="run"),
        pytest.param(("a", "uid", "1", M_3, 1), ("a", "uid2", "1", M_3, 1), id="same-name-applied-again"),
        pytest.param(
            ("a", "uid", "1", M_3, 1), ("a", "uid", "1", TaskRef(type=TaskType.REDUCE, index=3), 1), id="type"
        ),
        pytest.param(("a" * 60, "uid", "1", M_3, 1), ("a" * 61, "uid", "1", M_3, 1), id="long-names-cut"),
    ],
)
def test_different_attempts_have_different_names(
    one: tuple[str, str, str, TaskRef, int], other: tuple[str, str, str, TaskRef, int]
) -> None:
    names = {pod_name(job, hash_run(uid, run), task, ordinal) for job, uid, run, task, ordinal in (one, other)}
    assert len(names) == 2


@given(tasks, ordinals, st.integers(0, 99))
def test_labels_are_read_back(task: TaskRef, ordinal: int, generation: int) -> None:
    attempt = AttemptLabels(run_hash="0123456789", task=task, ordinal=ordinal, generation=generation)
    assert parse_labels(pod_labels("wordcount", attempt)) == attempt


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"podreduce.dev/ordinal": "x"}, id="no-number"),
        pytest.param({"podreduce.dev/task-type": "shuffle"}, id="no-type"),
        pytest.param({RUN_HASH_LABEL: None}, id="missing"),
    ],
)
def test_labels_that_are_not_ours_are_none(change: dict[str, str | None]) -> None:
    labels = pod_labels("wordcount", AttemptLabels(run_hash="0", task=M_3, ordinal=1, generation=0)) | change
    assert parse_labels({name: value for name, value in labels.items() if value is not None}) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("a" * 63, "a" * 63, id="just-fits"),
        pytest.param("a" * 64, "a" * 52 + "-ffe054fe7a", id="one-too-long"),
        pytest.param("a" * 51 + "." + "b" * 20, "a" * 51 + "-a8c1068876", id="no-dot-before-the-hash"),
    ],
)
def test_long_names_are_cut_and_hashed(name: str, expected: str) -> None:
    assert bounded_name(name) == expected


def test_selectors_pick_what_the_labels_say() -> None:
    labels = pod_labels("wordcount", AttemptLabels(run_hash="0", task=M_3, ordinal=1, generation=0))
    assert job_selector("wordcount") == f"{managed_selector()},{JOB_LABEL}=wordcount"
    for part in job_selector("wordcount").split(","):
        name, _, value = part.partition("=")
        assert labels[name] == (value or labels[name])


@pytest.mark.parametrize("label", [TASK_INDEX_LABEL, ORDINAL_LABEL, GENERATION_LABEL])
@pytest.mark.parametrize("number", ["-1", str(1 << 31), "9" * 63, "x", ""])
def test_labels_with_a_number_that_no_attempt_has_are_no_attempts(label: str, number: str) -> None:
    labels = pod_labels("wordcount", AttemptLabels(run_hash="0123456789", task=M_3, ordinal=1, generation=0))
    assert parse_labels(labels) is not None
    assert parse_labels({**labels, label: number}) is None


@pytest.mark.parametrize("text", ["m-2147483648", f"r-{10**60}", "m--1"])
def test_a_task_of_such_a_number_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a task"):
        TaskRef.parse(text)
