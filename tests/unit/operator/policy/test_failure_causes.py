from collections.abc import Sequence
from typing import Any

import pytest

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import FailureRecord
from podreduce_operator.api.spec import BackoffSpec
from podreduce_operator.model.pods import PodPhase
from podreduce_operator.policy.failure_causes import ENDED_EARLY, Cause, classify, find_cause, render_failure
from podreduce_operator.policy.failure_classes import DISRUPTION
from podreduce_operator.policy.retry_delays import memory_factor, next_attempt_at, uncounted_by_budget
from tests.support.builders.jobs import make_spec
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_failure, make_outcome
from tests.support.builders.tasks import reduce_task

BACKOFF_YAML = {"initialSeconds": 5, "factor": 2, "maxSeconds": 300}
BACKOFF = BackoffSpec(initial_seconds=5, factor=2, max_seconds=300, out_of_memory_factor=1.5)
FAILED: dict[str, Any] = {"phase": PodPhase.FAILED, "finished_at": 100.0}

CAUSES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "disruption costs nothing": (
        {"disrupted": True, "exit_code": 137, "message": "preempted"},
        ("Disrupted", "preempted"),
    ),
    "disruption without words": ({"disrupted": True}, ("Disrupted", "taken away by the cluster")),
    "disruption weighs more than what the task said": (
        {"disrupted": True, "outcome": make_outcome("ProgramError")},
        ("Disrupted", "taken away by the cluster"),
    ),
    "the task's own word": (
        {"exit_code": 64, "outcome": make_outcome("ProgramError", "KeyError: 'x'")},
        ("ProgramError", "KeyError: 'x'"),
    ),
    "the task's word weighs more than the kubelet's": (
        {"exit_code": 70, "reason": "OOMKilled", "outcome": make_outcome("OutOfMemory", "MemoryError")},
        ("OutOfMemory", "MemoryError"),
    ),
    "a lost map output is not the reduce's fault": (
        {"exit_code": 69, "outcome": make_outcome("MapOutputLost", "m-3")},
        ("MapOutputLost", "m-3"),
    ),
    "killed at the memory limit": (
        {"exit_code": 137, "reason": "OOMKilled"},
        ("OutOfMemory", "killed by the kernel at its memory limit"),
    ),
    "evicted for its own use": (
        {"reason": "Evicted", "message": "ephemeral storage"},
        ("Evicted", "ephemeral storage"),
    ),
    "evicted without words": ({"reason": "Evicted"}, ("Evicted", "evicted by the kubelet")),
    "an eviction that deletes still counts": (
        {"reason": "Evicted", "deleting": True},
        ("Evicted", "evicted by the kubelet"),
    ),
    "deleted by hand": (
        {"phase": PodPhase.RUNNING, "finished_at": None, "deleting": True},
        ("PodDeleted", "deleted while it ran"),
    ),
    "deleted by hand and ended": ({"deleting": True, "exit_code": 143}, ("PodDeleted", "deleted while it ran")),
    "ended well without a commit": (
        {"phase": PodPhase.SUCCEEDED, "exit_code": 0},
        ("CommitMissing", f"exited with 0 {ENDED_EARLY}"),
    ),
    "failed without a code": ({"reason": "Error"}, ("PodFailed", "Error")),
    "failed without a code, with words": (
        {"reason": "Error", "message": "no such file"},
        ("PodFailed", "no such file"),
    ),
    "failed without anything": ({}, ("PodFailed", "no reason given")),
    "a code nobody defined": ({"exit_code": 3}, ("PodFailed", f"exited with 3 {ENDED_EARLY}")),
    "one that only the program can mean": ({"exit_code": 1}, ("PodFailed", f"exited with 1 {ENDED_EARLY}")),
    "a signal": ({"exit_code": 139}, ("PodFailed", f"ended by SIGSEGV (exit code 139) {ENDED_EARLY}")),
    "no signal": ({"exit_code": 255}, ("PodFailed", f"exited with 255 {ENDED_EARLY}")),
}

EXIT_CODES = {
    ExitCode.PROGRAM_ERROR: "ProgramError",
    ExitCode.INPUT_ERROR: "InputError",
    ExitCode.STORAGE_DENIED: "StorageDenied",
    ExitCode.STORAGE_UNAVAILABLE: "StorageUnavailable",
    ExitCode.PLAN_MISMATCH: "PlanMismatch",
    ExitCode.OUT_OF_MEMORY: "OutOfMemory",
    ExitCode.SCRATCH_FULL: "ScratchFull",
    ExitCode.TOO_MANY_BAD_RECORDS: "TooManyBadRecords",
    ExitCode.SHUFFLE_NOT_FROZEN: "ShuffleNotFrozen",
    ExitCode.TERMINATED: "Terminated",
    137: "Killed",
}


@pytest.mark.parametrize(("fields", "expected"), CAUSES.values(), ids=CAUSES.keys())
def test_cause_is_found(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    reason, message = expected
    assert find_cause(make_pod(**(FAILED | fields))) == Cause(reason=reason, message=message)


@pytest.mark.parametrize(("code", "reason"), EXIT_CODES.items(), ids=str)
def test_exit_code_alone_gives_the_reason(code: int, reason: str) -> None:
    assert find_cause(make_pod(**FAILED, exit_code=int(code))) == Cause(
        reason=reason, message=f"exited with {int(code)}"
    )


def test_every_exit_code_that_needs_no_message_has_a_reason() -> None:
    assert set(ExitCode) - set(EXIT_CODES) == {ExitCode.OK, ExitCode.INTERNAL_ERROR, ExitCode.MAP_OUTPUT_LOST}


def delay(counted: int, uncounted: int, backoff: BackoffSpec = BACKOFF) -> float:
    """Seconds from the last finish, 1000, to the next attempt."""
    failures = [make_failure(finished_at=1000.0)] * counted
    failures += [make_failure(finished_at=1000.0, counted=False, reason="Disrupted")] * uncounted
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
    assert delay(counted, 0, BackoffSpec(initial_seconds=7, factor=1.0, max_seconds=300, out_of_memory_factor=1.0)) == 7


@pytest.mark.parametrize("counted", [1, 2, 100_000])
def test_zero_initial_delay_means_at_once(counted: int) -> None:
    assert delay(counted, 0, BackoffSpec(initial_seconds=0, factor=2.0, max_seconds=300, out_of_memory_factor=1.0)) == 0


def test_maximum_below_the_initial_delay_wins() -> None:
    assert delay(1, 0, BackoffSpec(initial_seconds=600, factor=2.0, max_seconds=300, out_of_memory_factor=1.0)) == 300


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


COSTS = {
    "ProgramError": (True, False),
    "Evicted": (True, False),
    "somebody's own": (True, False),
    "Disrupted": (False, False),
    "PodDeleted": (False, False),
    "MapOutputLost": (False, False),
    "TooManyBadRecords": (False, False),
    "StorageUnavailable": (False, False),
    "OutOfMemory": (False, False),
    "SetupFailed": (True, False),
    "InputError": (True, True),
    "ProgramInvalid": (True, True),
    "StorageDenied": (False, False),
    "ImageUnavailable": (True, True),
}


def cost(reason: str, earlier: Sequence[FailureRecord] = (), **spec: Any) -> tuple[bool, bool]:
    """Whether the failure counts, and whether it ends the job."""
    found = classify(make_pod(**FAILED), Cause(reason=reason, message="boom"), make_spec(**spec), earlier)
    return found.counted, found.ends_job


@pytest.mark.parametrize(("reason", "expected"), COSTS.items(), ids=COSTS.keys())
def test_failure_costs_what_its_class_says(reason: str, expected: tuple[bool, bool]) -> None:
    assert cost(reason) == expected


SAME_SETUP = make_failure(reason="SetupFailed", message="boom")


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        (SAME_SETUP, (True, True)),
        (make_failure(reason="SetupFailed", message="boom", counted=False), (True, True)),
        (make_failure(reason="SetupFailed", message="another"), (True, False)),
        (make_failure(reason="ProgramError", message="boom"), (True, False)),
    ],
    ids=["same", "same-ignored", "other-words", "at-a-record"],
)
def test_the_same_error_twice_before_the_first_record_ends_the_job(
    earlier: FailureRecord, expected: tuple[bool, bool]
) -> None:
    assert cost("SetupFailed", [earlier]) == expected
    assert cost("ProgramError", [earlier]) == (True, False)


@pytest.mark.parametrize(("action", "expected"), [("Count", (True, False)), ("Ignore", (False, False))])
def test_a_rule_keeps_the_retries_of_a_setup_that_may_yet_succeed(action: str, expected: tuple[bool, bool]) -> None:
    rules = {"rules": [{"action": action, "onReasons": ["SetupFailed"]}]}
    assert cost("SetupFailed", [SAME_SETUP], failurePolicy=rules) == expected


def test_an_error_that_ends_the_job_the_second_time_says_why() -> None:
    cause = Cause(reason="SetupFailed", message="boom")
    told = classify(make_pod(**FAILED), cause, make_spec(), [SAME_SETUP]).message
    assert told.startswith("boom (twice the same, before the first record; ")


def test_only_the_first_time_out_of_memory_is_free() -> None:
    assert cost("OutOfMemory", [make_failure(reason="ProgramError")]) == (False, False)
    assert cost("OutOfMemory", [make_failure(reason="OutOfMemory", counted=False)]) == (True, False)


@pytest.mark.parametrize("spec", [{"backoffLimitPerTask": 0}, {"backoff": BACKOFF_YAML | {"outOfMemoryFactor": 1}}])
def test_out_of_memory_counts_where_memory_is_not_raised(spec: dict[str, Any]) -> None:
    assert cost("OutOfMemory", **spec) == (True, False)
    assert memory_factor([make_failure(reason="OutOfMemory")], make_spec(**spec)) == 1.0


def test_raised_memory_is_told() -> None:
    cause = Cause(reason="OutOfMemory", message="killed")
    told = classify(make_pod(**FAILED), cause, make_spec(), ()).message
    assert told == "killed; the next attempt gets 1.5 times the memory"


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([], 1.0),
        (["ProgramError"], 1.0),
        (["OutOfMemory"], 1.5),
        (["OutOfMemory", "OutOfMemory"], 1.5),
        (["OutOfMemory", "MemoryUnavailable"], 1.0),
        (["OutOfMemory", "MemoryUnavailable", "OutOfMemory"], 1.0),
    ],
)
def test_memory_is_raised_once(failures: list[str], expected: float) -> None:
    assert memory_factor([make_failure(reason=reason) for reason in failures], make_spec()) == expected


@pytest.mark.parametrize("reason", ["StorageUnavailable", "StorageDenied"])
def test_fault_of_the_store_counts_for_a_job_that_allows_no_retries(reason: str) -> None:
    assert cost(reason, backoffLimitPerTask=0) == (True, False)


@pytest.mark.parametrize(
    ("action", "expected"), [("FailJob", (True, True)), ("Ignore", (False, False)), ("Count", (True, False))]
)
@pytest.mark.parametrize("reason", ["ProgramError", "Disrupted", "InputError", "OutOfMemory"])
def test_failure_policy_goes_before_the_class(reason: str, action: str, expected: tuple[bool, bool]) -> None:
    assert cost(reason, failurePolicy={"rules": [{"action": action, "onReasons": [reason]}]}) == expected


@pytest.mark.parametrize(
    ("uncounted", "expected"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (20, 300)]
)
@pytest.mark.parametrize("reason", ["StorageUnavailable", "StorageDenied"])
def test_faults_of_the_store_are_waited_out_longer(reason: str, uncounted: int, expected: float) -> None:
    failures = [make_failure(reason=reason, counted=False, finished_at=1000.0)] * uncounted
    assert next_attempt_at(failures, BACKOFF) - 1000.0 == expected


def test_each_class_that_does_not_count_has_its_own_delay() -> None:
    failures = [
        make_failure(reason="StorageUnavailable", counted=False, finished_at=100.0),
        *[make_failure(reason="Disrupted", counted=False, finished_at=100.0)] * 4,
    ]
    assert next_attempt_at(failures, BACKOFF) == 108.0
    assert {budget.name: len(found) for budget, found in uncounted_by_budget(failures).items()} == {
        "outage": 1,
        "disruption": 4,
    }


@pytest.mark.parametrize("reason", ["ProgramError", "InputError", "OutOfMemory"])
def test_ignored_failures_are_taken_from_the_budget_of_disruptions(reason: str) -> None:
    ignored = make_failure(reason=reason, counted=False, ends_job=False)
    assert list(uncounted_by_budget([ignored])) == [DISRUPTION]


def test_failure_is_rendered_with_task_pod_reason_and_message() -> None:
    failure = make_failure(reduce_task(2), ordinal=3, reason="OutOfMemory", message="at 256Mi")
    assert render_failure(failure) == f"r-2 (pod {failure.pod_name}): OutOfMemory: at 256Mi"


SAID_BY_ERRORS = set(ExitCode) - {ExitCode.OK, ExitCode.INTERNAL_ERROR}


@pytest.mark.parametrize("code", sorted(SAID_BY_ERRORS))
def test_every_exit_code_of_a_task_has_a_reason_of_its_own(code: ExitCode) -> None:
    cause = find_cause(make_pod(**FAILED, exit_code=code))
    assert cause.reason != "PodFailed"
