from typing import Any

import pytest

from podreduce.contract.exit_codes import ExitCode
from podreduce_operator.failures import (
    AWAITED_REASONS,
    FATAL_REASONS,
    Classification,
    classify_failure,
    classify_stuck_pod,
    next_attempt_at,
    render_failure,
    stuck_deadline,
)
from podreduce_operator.model import PodPhase
from podreduce_operator.spec import BackoffSpec
from tests.builders import make_failure, make_outcome, make_pod, reduce_task

BACKOFF = BackoffSpec(initial_seconds=5, factor=2, max_seconds=300)
FAILED: dict[str, Any] = {"phase": PodPhase.FAILED, "finished_at": 100.0}

CLASSES: dict[str, tuple[dict[str, Any], tuple[str, str, bool]]] = {
    "disruption costs nothing": (
        {"disrupted": True, "exit_code": 137, "message": "preempted"},
        ("Disrupted", "preempted", False),
    ),
    "disruption without words": ({"disrupted": True}, ("Disrupted", "taken away by the cluster", False)),
    "disruption weighs more than what the task said": (
        {"disrupted": True, "outcome": make_outcome("ProgramError")},
        ("Disrupted", "taken away by the cluster", False),
    ),
    "the task's own word": (
        {"exit_code": 64, "outcome": make_outcome("ProgramError", "KeyError: 'x'")},
        ("ProgramError", "KeyError: 'x'", True),
    ),
    "the task's word weighs more than the kubelet's": (
        {"exit_code": 70, "reason": "OOMKilled", "outcome": make_outcome("OutOfMemory", "MemoryError")},
        ("OutOfMemory", "MemoryError", True),
    ),
    "a lost map output is not the reduce's fault": (
        {"exit_code": 69, "outcome": make_outcome("MapOutputLost", "m-3")},
        ("MapOutputLost", "m-3", False),
    ),
    "killed at the memory limit": (
        {"exit_code": 137, "reason": "OOMKilled"},
        ("OutOfMemory", "killed by the kernel at its memory limit", True),
    ),
    "evicted for its own use": (
        {"reason": "Evicted", "message": "ephemeral storage"},
        ("Evicted", "ephemeral storage", True),
    ),
    "evicted without words": ({"reason": "Evicted"}, ("Evicted", "evicted by the kubelet", True)),
    "an eviction that deletes still counts": (
        {"reason": "Evicted", "deleting": True},
        ("Evicted", "evicted by the kubelet", True),
    ),
    "deleted by hand": (
        {"phase": PodPhase.RUNNING, "finished_at": None, "deleting": True},
        ("PodDeleted", "deleted while it ran", False),
    ),
    "deleted by hand and ended": ({"deleting": True, "exit_code": 143}, ("PodDeleted", "deleted while it ran", False)),
    "ended well without a commit": (
        {"phase": PodPhase.SUCCEEDED, "exit_code": 0},
        ("CommitMissing", "exited with 0 without a commit record", True),
    ),
    "failed without a code": ({"reason": "Error"}, ("PodFailed", "Error", True)),
    "failed without a code, with words": (
        {"reason": "Error", "message": "no such file"},
        ("PodFailed", "no such file", True),
    ),
    "failed without anything": ({}, ("PodFailed", "no reason given", True)),
    "a code nobody defined": ({"exit_code": 3}, ("PodFailed", "exited with 3", True)),
}

EXIT_CODES = {
    ExitCode.INTERNAL_ERROR: "InternalError",
    ExitCode.PROGRAM_ERROR: "ProgramError",
    ExitCode.INPUT_ERROR: "InputError",
    ExitCode.STORAGE_DENIED: "StorageDenied",
    ExitCode.STORAGE_UNAVAILABLE: "StorageUnavailable",
    ExitCode.PLAN_MISMATCH: "PlanMismatch",
    ExitCode.OUT_OF_MEMORY: "OutOfMemory",
    ExitCode.SCRATCH_FULL: "ScratchFull",
    ExitCode.TERMINATED: "Terminated",
    137: "Killed",
}


@pytest.mark.parametrize(("fields", "expected"), CLASSES.values(), ids=CLASSES.keys())
def test_failure_is_classified(fields: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    reason, message, counted = expected
    pod = make_pod(**(FAILED | fields))
    assert classify_failure(pod) == Classification(reason=reason, message=message, counted=counted)


@pytest.mark.parametrize(("code", "reason"), EXIT_CODES.items(), ids=str)
def test_exit_code_alone_gives_the_reason_and_counts(code: int, reason: str) -> None:
    expected = Classification(reason=reason, message=f"exited with {int(code)}", counted=True)
    assert classify_failure(make_pod(**FAILED, exit_code=int(code))) == expected


def test_every_exit_code_that_needs_no_message_has_a_reason() -> None:
    assert set(ExitCode) - set(EXIT_CODES) == {ExitCode.OK, ExitCode.MAP_OUTPUT_LOST}


STUCK: dict[str, tuple[str, float, str | None]] = {
    "bad image name, at once": ("InvalidImageName", 0.0, "ImageUnavailable"),
    "image never pulled, at once": ("ErrImageNeverPull", 0.0, "ImageUnavailable"),
    "image pull fails within the grace": ("ErrImagePull", 29.9, None),
    "image pull fails after the grace": ("ErrImagePull", 30.0, "ImageUnavailable"),
    "image pull backs off within the grace": ("ImagePullBackOff", 29.9, None),
    "image pull backs off after the grace": ("ImagePullBackOff", 30.0, "ImageUnavailable"),
    "registry away within the grace": ("RegistryUnavailable", 29.9, None),
    "registry away after the grace": ("RegistryUnavailable", 30.0, "ImageUnavailable"),
    "missing Secret within the grace": ("CreateContainerConfigError", 29.9, None),
    "missing Secret after the grace": ("CreateContainerConfigError", 30.0, "PodConfigInvalid"),
    "container refused within the grace": ("CreateContainerError", 29.9, None),
    "container refused after the grace": ("CreateContainerError", 30.0, "PodConfigInvalid"),
    "unschedulable waits for ever": ("Unschedulable", 10_000.0, None),
    "no reason waits for ever": ("", 10_000.0, None),
}


@pytest.mark.parametrize(("reason", "age", "expected"), STUCK.values(), ids=STUCK.keys())
def test_stuck_pod_is_told_from_one_that_may_start(reason: str, age: float, expected: str | None) -> None:
    pod = make_pod(phase=PodPhase.PENDING, created_at=1000.0, reason=reason, message="said the kubelet")
    wanted = expected and Classification(reason=expected, message=f"{reason}: said the kubelet", counted=True)
    assert classify_stuck_pod(pod, 1000.0 + age) == wanted


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImagePull"])
def test_running_pod_is_never_stuck(reason: str) -> None:
    assert classify_stuck_pod(make_pod(phase=PodPhase.RUNNING, reason=reason), 10_000.0) is None


@pytest.mark.parametrize(
    ("phase", "reason", "expected"),
    [
        (PodPhase.PENDING, "ErrImagePull", 1030.0),
        (PodPhase.PENDING, "CreateContainerConfigError", 1030.0),
        (PodPhase.PENDING, "InvalidImageName", None),
        (PodPhase.PENDING, "", None),
        (PodPhase.RUNNING, "ErrImagePull", None),
    ],
)
def test_pending_pod_is_looked_at_again_when_its_grace_ends(
    phase: PodPhase, reason: str, expected: float | None
) -> None:
    assert stuck_deadline(make_pod(phase=phase, reason=reason, created_at=1000.0)) == expected


def delay(counted: int, uncounted: int, backoff: BackoffSpec = BACKOFF) -> float:
    """Seconds from the last finish, 1000, to the next attempt."""
    failures = [make_failure(finished_at=1000.0)] * counted
    failures += [make_failure(finished_at=1000.0, counted=False)] * uncounted
    return next_attempt_at(failures, backoff) - 1000.0


@pytest.mark.parametrize(
    ("counted", "expected"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (8, 300), (100_000, 300)]
)
def test_delay_doubles_up_to_its_maximum(counted: int, expected: float) -> None:
    assert delay(counted, 0) == expected


@pytest.mark.parametrize(
    ("uncounted", "expected"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (50, 60)]
)
def test_uncounted_failures_have_their_own_delay(uncounted: int, expected: float) -> None:
    assert delay(0, uncounted) == expected


@pytest.mark.parametrize(
    ("counted", "uncounted", "expected"), [(1, 1, 5), (1, 4, 8), (2, 3, 10), (3, 7, 60), (4, 1, 40)]
)
def test_longer_of_the_two_delays_holds(counted: int, uncounted: int, expected: float) -> None:
    assert delay(counted, uncounted) == expected


@pytest.mark.parametrize("counted", [1, 2, 30, 100_000])
def test_factor_one_keeps_the_delay(counted: int) -> None:
    assert delay(counted, 0, BackoffSpec(initial_seconds=7, factor=1.0, max_seconds=300)) == 7


@pytest.mark.parametrize("counted", [1, 2, 100_000])
def test_zero_initial_delay_means_at_once(counted: int) -> None:
    assert delay(counted, 0, BackoffSpec(initial_seconds=0, factor=2.0, max_seconds=300)) == 0


def test_maximum_below_the_initial_delay_wins() -> None:
    assert delay(1, 0, BackoffSpec(initial_seconds=600, factor=2.0, max_seconds=300)) == 300


def test_delay_starts_at_the_latest_finish_whatever_the_order() -> None:
    failures = [make_failure(ordinal=1, finished_at=900.0), make_failure(ordinal=2, finished_at=500.0)]
    assert next_attempt_at(failures, BACKOFF) == 910.0


def test_each_delay_starts_at_its_own_last_finish() -> None:
    failures = [
        make_failure(ordinal=1, finished_at=100.0),
        make_failure(ordinal=2, finished_at=104.5, counted=False),
    ]
    assert next_attempt_at(failures, BACKOFF) == 105.5


def test_first_attempt_may_start_at_once() -> None:
    assert next_attempt_at((), BACKOFF) == 0.0


def test_reasons_that_end_the_job_are_those_that_repeating_cannot_mend() -> None:
    assert {"InputError", "StorageDenied", "PlanMismatch", "ImageUnavailable", "PodConfigInvalid"} == FATAL_REASONS
    assert {"StorageSecretNotFound", "ProgramNotFound"} == AWAITED_REASONS


def test_failure_is_rendered_with_task_pod_reason_and_message() -> None:
    failure = make_failure(reduce_task(2), ordinal=3, reason="OutOfMemory", message="at 256Mi")
    assert render_failure(failure) == f"r-2 (pod {failure.pod_name}): OutOfMemory: at 256Mi"
