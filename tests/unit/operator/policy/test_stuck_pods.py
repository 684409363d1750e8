from typing import Any

import pytest

from podreduce_operator.model.limits import PendingDeadlines
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView
from podreduce_operator.policy.stuck_pods import (
    REASONS,
    WAITS,
    Waiting,
    explain_waiting,
    find_expired,
    find_hung,
    hung_at,
    is_silent,
    moments,
    name_wait,
    pending_deadline,
    still_waits,
)
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_failure
from tests.support.builders.tasks import map_task

DEADLINES = PendingDeadlines(absent_seconds=30.0, image_seconds=600.0, unschedulable_seconds=3600.0)
MISSING = 'secret "keys" not found'


def make_waiting(reason: str, message: str = "said the kubelet", **fields: Any) -> PodView:
    defaults: dict[str, Any] = {"phase": PodPhase.PENDING, "created_at": 1000.0}
    return make_pod(reason=reason, message=message, **(defaults | fields))


EXPIRY: dict[str, tuple[str, str, float | None, str]] = {
    "bad image name": ("InvalidImageName", "", 0.0, "ImageUnavailable"),
    "image never pulled": ("ErrImageNeverPull", "", 0.0, "ImageUnavailable"),
    "image that is not there": ("ErrImagePull", "code = NotFound desc = Not Found", 30.0, "ImageUnavailable"),
    "image that is refused": ("ImagePullBackOff", "pull access denied", 30.0, "ImageUnavailable"),
    "registry away": ("ErrImagePull", "dial tcp: i/o timeout", 600.0, "ImageUnavailable"),
    "registry away, backing off": ("ImagePullBackOff", "Back-off pulling image", 600.0, "ImageUnavailable"),
    "registry unavailable": ("RegistryUnavailable", "", 600.0, "ImageUnavailable"),
    "missing Secret": ("CreateContainerConfigError", MISSING, 30.0, "PodConfigInvalid"),
    "bad configuration": ("CreateContainerConfigError", "runAsNonRoot", 30.0, "PodConfigInvalid"),
    "container refused": ("CreateContainerError", "", 30.0, "PodConfigInvalid"),
    "volume of a missing Secret": ("FailedMount", MISSING, 30.0, "PodConfigInvalid"),
    "slow volume": ("FailedMount", "timed out waiting", None, "PodConfigInvalid"),
    "no node": ("Unschedulable", "0/2 nodes are available", 3600.0, "Unschedulable"),
    "no admission": ("SchedulingGated", "", None, "AwaitingAdmission"),
    "no network": ("FailedCreatePodSandBox", "cni", None, "SandboxFailed"),
}


@pytest.mark.parametrize(("reason", "message", "seconds", "expected"), EXPIRY.values(), ids=EXPIRY.keys())
def test_pod_may_wait_as_long_as_its_reason_allows(
    reason: str, message: str, seconds: float | None, expected: str
) -> None:
    pod = make_waiting(reason, message)
    assert pending_deadline(pod, DEADLINES) == (None if seconds is None else 1000.0 + seconds)
    wanted = Waiting(reason=expected, message=f"{reason}: {message}")
    if seconds is None:
        assert find_expired(pod, 1e9, DEADLINES) is None
        return
    assert find_expired(pod, 1000.0 + seconds, DEADLINES) == wanted
    assert find_expired(pod, 999.9 + seconds, DEADLINES) is None


@pytest.mark.parametrize("reason", ["Unschedulable", "ErrImagePull", "CreateContainerError"])
def test_no_deadline_is_for_ever(reason: str) -> None:
    forever = PendingDeadlines(absent_seconds=None, image_seconds=None, unschedulable_seconds=None)
    assert pending_deadline(make_waiting(reason), forever) is None


def test_time_without_a_node_does_not_count_against_the_image() -> None:
    pod = make_waiting("ErrImagePull", "not found", scheduled_at=5000.0)
    assert pending_deadline(pod, DEADLINES) == 5030.0


@pytest.mark.parametrize(
    "fields",
    [{"phase": PodPhase.RUNNING}, {"phase": PodPhase.FAILED}, {"deleting": True}, {"reason": "ContainerCreating"}],
    ids=str,
)
def test_pod_that_does_not_wait_has_no_deadline(fields: dict[str, Any]) -> None:
    pod = make_waiting(**({"reason": "InvalidImageName"} | fields))
    assert moments(pod, DEADLINES) == ()
    assert explain_waiting([pod], 1e9) is None


def test_pod_that_has_waited_for_a_while_is_told_of() -> None:
    pod = make_waiting("Unschedulable", "0/2 nodes are available: insufficient cpu")
    assert moments(pod, DEADLINES) == (1005.0, 4600.0)
    assert explain_waiting([pod], 1004.9) is None
    words = f"pod {pod.name} waits: Unschedulable: 0/2 nodes are available: insufficient cpu"
    assert explain_waiting([pod], 1005.0) == Waiting(reason="Unschedulable", message=words)


def test_the_longest_waiting_speaks_for_all_of_its_reason() -> None:
    pods = [
        make_waiting("ErrImagePull", task=map_task(0)),
        *(make_waiting("Unschedulable", "no cpu", task=map_task(n), created_at=900.0 + n) for n in (3, 2, 1)),
    ]
    waiting = explain_waiting(pods, 2000.0)
    assert waiting is not None
    assert waiting.reason == "Unschedulable"
    assert waiting.message.endswith("m-1-1 (and 2 more) waits: Unschedulable: no cpu")


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_pod_that_has_a_node_and_says_nothing_is_asked_about_after_a_while(reason: str) -> None:
    pod = make_waiting(reason, scheduled_at=1000.0)
    assert moments(pod, DEADLINES) == (1020.0,)
    assert [is_silent(pod, at) for at in (1019.9, 1020.0)] == [False, True]


@pytest.mark.parametrize(
    "fields",
    [{"scheduled_at": None}, {"phase": PodPhase.RUNNING}, {"deleting": True}, {"reason": "ErrImagePull"}],
    ids=str,
)
def test_pod_without_a_node_or_that_speaks_or_runs_is_not_asked_about(fields: dict[str, Any]) -> None:
    pod = make_waiting(**({"reason": "ContainerCreating", "scheduled_at": 1000.0} | fields))
    assert not is_silent(pod, 1e9)


NOW: dict[str, tuple[str, PodView | None, bool]] = {
    "the same": ("ImageUnavailable", make_waiting("ErrImagePull"), True),
    "the same, in another word": ("ImageUnavailable", make_waiting("ImagePullBackOff"), True),
    "a volume, of which it says nothing": ("PodConfigInvalid", make_waiting("ContainerCreating"), True),
    "its image has come": ("ImageUnavailable", make_waiting("ContainerCreating"), False),
    "it has a node": ("Unschedulable", make_waiting("", scheduled_at=1000.0), False),
    "a node for raised memory": ("MemoryUnavailable", make_waiting("Unschedulable"), True),
    "it has a node for raised memory": ("MemoryUnavailable", make_waiting("", scheduled_at=1000.0), False),
    "for something else": ("Unschedulable", make_waiting("ErrImagePull"), False),
    "it runs": ("ImageUnavailable", make_waiting("", phase=PodPhase.RUNNING), False),
    "it has ended": ("ImageUnavailable", make_waiting("Error", phase=PodPhase.FAILED), False),
    "it is being deleted": ("ImageUnavailable", make_waiting("ErrImagePull", deleting=True), False),
    "another of its name": ("ImageUnavailable", make_waiting("ErrImagePull", uid="another"), False),
    "it is gone": ("ImageUnavailable", None, False),
}


@pytest.mark.parametrize(("reason", "pod", "expected"), NOW.values(), ids=NOW)
def test_pod_is_given_up_only_for_what_it_still_waits_for(reason: str, pod: PodView | None, *, expected: bool) -> None:
    assert still_waits(pod, make_failure(reason=reason)) is expected


STILL = AttemptProgress(fraction=0.4, reported_at=990.0, changed_at=400.0)


def test_attempt_that_has_not_moved_for_the_deadline_hangs() -> None:
    pod = make_pod()
    assert hung_at(pod, STILL, 600) == 1000.0
    assert find_hung(pod, STILL, 600, 999.9) is None
    cause = find_hung(pod, STILL, 600, 1000.0)
    assert cause is not None
    assert cause.reason == "NoProgress"
    assert "for 600 s" in cause.message
    assert "context.progress()" in cause.message


@pytest.mark.parametrize(
    ("phase", "progress", "deadline"),
    [(PodPhase.PENDING, STILL, 600), (PodPhase.RUNNING, None, 600), (PodPhase.RUNNING, STILL, None)],
    ids=["not started", "nothing reported", "no deadline"],
)
def test_attempt_is_not_judged(phase: PodPhase, progress: AttemptProgress | None, deadline: int | None) -> None:
    pod = make_pod(phase=phase)
    assert hung_at(pod, progress, deadline) is None
    assert find_hung(pod, progress, deadline, 1e9) is None


def test_a_volume_whose_driver_does_not_run_yet_on_a_new_node_is_waited_for() -> None:
    words = (
        "MountVolume.MountDevice failed: driver name ebs.csi.aws.com not found in the list of registered CSI drivers"
    )
    pod = make_waiting("FailedMount", message=words, scheduled_at=1000.0)
    assert pending_deadline(pod, DEADLINES) is None
    absent = make_waiting("FailedMount", message='secret "tls" not found', scheduled_at=1000.0)
    assert pending_deadline(absent, DEADLINES) is not None


WAIT_NAMES: dict[str, tuple[PodView, str | None]] = {
    "without a node": (make_waiting(""), "Scheduling"),
    "on a node": (make_waiting("", node="n"), "Starting"),
    "creating": (make_waiting("ContainerCreating", node="n"), "Starting"),
    "no room": (make_waiting("Unschedulable"), "Unschedulable"),
    "queued": (make_waiting("SchedulingGated"), "AwaitingAdmission"),
    "no image": (make_waiting("ErrImagePull", node="n"), "ImageUnavailable"),
    "something new": (make_waiting("Job42IsLate"), "Other"),
    "deleted": (make_waiting("Unschedulable", deleting=True), None),
    "running": (make_waiting("", phase=PodPhase.RUNNING), None),
    "ended": (make_waiting("Evicted", phase=PodPhase.FAILED), None),
}


@pytest.mark.parametrize(("pod", "expected"), WAIT_NAMES.values(), ids=WAIT_NAMES.keys())
def test_what_keeps_a_pod_from_starting_has_a_name(pod: PodView, expected: str | None) -> None:
    assert name_wait(pod) == expected


def test_the_names_of_waits_are_few() -> None:
    found = {name_wait(make_waiting(reason)) for reason in (*REASONS, "", "Odd")} | {"Starting"}
    assert found == WAITS
