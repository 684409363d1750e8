"""Pods as real API servers showed them, cut down to what is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce.contract.wire import encode
from podreduce_operator.api.times import parse_time
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import Gang, PodPhase, PodView, Requests
from podreduce_operator.pods.pod_names import AttemptLabels, pod_labels
from podreduce_operator.pods.pod_view import parse_pod
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.tasks import map_task, reduce_task

OWNER = {
    "apiVersion": "podreduce.dev/v1beta1",
    "kind": "MapReduceJob",
    "name": "wordcount",
    "uid": JOB_UID,
    "controller": True,
}
LABELS = pod_labels("wordcount", AttemptLabels(run_hash="abc", task=map_task(3), ordinal=2, generation=1))
CREATED = "2026-11-22T10:00:00Z"
STARTED = "2026-11-22T10:00:01Z"
FINISHED = "2026-11-22T10:00:09Z"


def make_manifest(status: dict[str, Any], *, containers: int = 1, **metadata: Any) -> dict[str, Any]:
    defaults = {
        "name": "wordcount-abc-m-3-2",
        "namespace": "team",
        "uid": "uid-1",
        "labels": LABELS,
        "ownerReferences": [OWNER],
        "creationTimestamp": CREATED,
    }
    names = ["task", "sidecar"][:containers]
    return {
        "metadata": defaults | metadata,
        "spec": {"containers": [{"name": name} for name in names]},
        "status": status,
    }


def parse(status: dict[str, Any], *, containers: int = 1, **metadata: Any) -> PodView:
    pod = parse_pod(make_manifest(status, containers=containers, **metadata))
    assert pod is not None
    return pod.view


def task_state(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "task", "state": state}]


def terminated(exit_code: int, reason: str = "Error", **fields: Any) -> list[dict[str, Any]]:
    return task_state(terminated={"exitCode": exit_code, "reason": reason, "finishedAt": FINISHED, **fields})


def condition(kind: str, status: str, reason: str, message: str = "", at: str = FINISHED) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


def test_a_pod_says_when_it_got_its_node_and_when_its_grace_is_over() -> None:
    scheduled = parse({"phase": "Pending", "conditions": [condition("PodScheduled", "True", "", at=STARTED)]})
    assert (scheduled.scheduled_at, scheduled.vanishes_at) == (parse_time(STARTED), None)
    unplaced = parse({"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable")]})
    assert unplaced.scheduled_at is None
    assert parse({"phase": "Running"}, deletionTimestamp=FINISHED).vanishes_at == parse_time(FINISHED)


def test_a_pod_says_where_it_runs_since_when_and_what_it_asked_for() -> None:
    manifest = make_manifest({"phase": "Running", "containerStatuses": task_state(running={"startedAt": STARTED})})
    manifest["spec"]["nodeName"] = "node-1"
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "1Mi"}}
    pod = parse_pod(manifest)
    assert pod is not None
    view = pod.view
    assert (view.node, view.started_at, view.requests) == ("node-1", parse_time(STARTED), Requests(100, 2**20))


STARTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "not yet": ({"phase": "Pending", "containerStatuses": task_state(waiting={"reason": "ContainerCreating"})}, None),
    "ended since": ({"phase": "Failed", "containerStatuses": terminated(1, startedAt=STARTED)}, STARTED),
    "never": ({"phase": "Failed", "reason": "OutOfcpu"}, None),
    "an init container": (
        {
            "phase": "Pending",
            "initContainerStatuses": [{"name": "fetch", "state": {"running": {"startedAt": STARTED}}}],
        },
        None,
    ),
}


@pytest.mark.parametrize(("status", "expected"), STARTS.values(), ids=STARTS.keys())
def test_a_pod_started_when_its_tasks_container_did(status: dict[str, Any], expected: str | None) -> None:
    assert parse(status).started_at == parse_time(expected)


def test_a_pods_conditions_are_kept_for_the_failure_policy() -> None:
    conditions = [condition("Ready", "False", ""), condition("DisruptionTarget", "True", "PreemptionByScheduler")]
    pods = [parse({"phase": "Failed", "conditions": conditions}) for _ in range(2)]
    assert pods[0].conditions == (("DisruptionTarget", "True"), ("Ready", "False"))
    assert pods[0].conditions is pods[1].conditions


@pytest.mark.parametrize(
    ("told", "tasks"),
    [
        ("m-3 m-4 r-0", (map_task(3), map_task(4), reduce_task(0))),
        ("m-3", ()),
        ("", ()),
        ("m-4 m-3", ()),
        ("m-3 x", ()),
    ],
    ids=["several", "one", "none", "not its own", "tampered"],
)
def test_a_pod_says_which_tasks_it_takes_one_after_another(told: str, tasks: tuple[TaskRef, ...]) -> None:
    pod = parse({"phase": "Running"}, annotations={"podreduce.dev/tasks": told})
    assert (pod.task, pod.sequence, pod.tasks) == (map_task(3), 0, tasks)


@pytest.mark.parametrize(
    ("told", "gang"),
    [("3 first-pod", Gang(name="first-pod", size=3)), ("", None), ("3", None), ("three first-pod", None)],
    ids=["one of three", "none", "no name", "tampered"],
)
def test_a_pod_says_which_gang_it_is_of(told: str, gang: Gang | None) -> None:
    assert parse({"phase": "Pending"}, annotations={"podreduce.dev/gang": told}).gang == gang


MANY_DIGITS = "9" * 5000
DEEP = '{"x":' * 2000
ODD_TEXT = st.one_of(
    st.text(max_size=50),
    st.sampled_from([MANY_DIGITS, f"{MANY_DIGITS} x", f"m-{MANY_DIGITS} m-1", "² x", "٣ x", "-1 x", DEEP, "[" * 4000]),
)


@given(texts=st.fixed_dictionaries(dict.fromkeys(("tasks", "gang", "progress-token"), ODD_TEXT)), message=ODD_TEXT)
def test_whatever_somebody_writes_on_a_pod_it_is_a_pod(texts: dict[str, str], message: str) -> None:
    annotations = {f"podreduce.dev/{name}": text for name, text in texts.items()}
    status = {"phase": "Failed", "containerStatuses": terminated(1, message=message)}
    assert parse(status, annotations=annotations).task == map_task(3)


def test_a_pod_says_whose_it_is_and_which_attempt() -> None:
    pod = parse_pod(make_manifest({"phase": "Running"}))
    assert pod is not None
    assert (pod.job, pod.owner_uid) == (JobKey(namespace="team", name="wordcount"), JOB_UID)
    view = pod.view
    assert (view.uid, view.run_hash, view.task, view.ordinal, view.generation) == ("uid-1", "abc", map_task(3), 2, 1)
    assert view.created_at == parse_time(CREATED)


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {}}, {"labels": None}, {"ownerReferences": []}, {"ownerReferences": [OWNER | {"controller": False}]},
     {"ownerReferences": [OWNER | {"apiVersion": "batch/v1"}]}, {"labels": LABELS | {"podreduce.dev/ordinal": "x"}}],
    ids=["no-labels", "null-labels", "no-owner", "no-controller", "another-group", "tampered"],
)  # fmt: skip
def test_a_pod_that_is_not_a_tasks_is_none(metadata: dict[str, Any]) -> None:
    assert parse_pod(make_manifest({"phase": "Running"}, **metadata)) is None


OOM = {"phase": "Failed", "containerStatuses": terminated(137, "OOMKilled")}
PULL = {
    "phase": "Pending",
    "conditions": [condition("PodScheduled", "True", "")],
    "containerStatuses": task_state(waiting={"reason": "ErrImagePull", "message": "no such image x:1"}),
}
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [condition("PodScheduled", "False", "Unschedulable", "0/2 nodes are available")],
}
OWN_DISK = {
    "phase": "Failed",
    "reason": "Evicted",
    "message": 'Usage of EmptyDir volume "podreduce-scratch" exceeds the limit "1Mi".',
    "containerStatuses": terminated(137, "ContainerStatusUnknown"),
}
NODE_PRESSURE = {
    "phase": "Failed",
    "reason": "Evicted",
    "message": "The node was low on resource: memory.",
    "conditions": [condition("DisruptionTarget", "True", "TerminationByKubelet")],
}
PREEMPTED = {
    "phase": "Failed",
    "conditions": [condition("DisruptionTarget", "True", "PreemptionByScheduler", "preempted by a higher priority")],
    "containerStatuses": terminated(143),
}
NOT_ADMITTED = {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected", "startTime": STARTED}
NODE_LOST = {"phase": "Running", "reason": "NodeLost"}
UNKNOWN = {"phase": "Unknown"}
REBOOTED = {
    "phase": "Failed",
    "containerStatuses": terminated(137, "ContainerStatusUnknown", finishedAt=None, message="could not be located"),
    "conditions": [condition("Ready", "False", "PodFailed", at=FINISHED)],
}
DEADLINE = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "active longer than", "startTime": STARTED}
INIT_FAILED = {
    "phase": "Failed",
    "initContainerStatuses": [{"name": "fetch", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}],
    "containerStatuses": task_state(waiting={"reason": "PodInitializing"}),
}
INIT_DONE = {
    "phase": "Running",
    "initContainerStatuses": [
        {"name": "fetch", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": STARTED}}}
    ],
    "containerStatuses": task_state(running={"startedAt": STARTED}),
}
START_ERROR = {"phase": "Failed", "containerStatuses": terminated(128, "StartError", message="exec: not found")}

STORIES: dict[str, tuple[dict[str, Any], PodPhase, str, int | None, bool]] = {
    "out of memory": (OOM, PodPhase.FAILED, "OOMKilled", 137, False),
    "image pull": (PULL, PodPhase.PENDING, "ErrImagePull", None, False),
    "unschedulable": (UNSCHEDULABLE, PodPhase.PENDING, "Unschedulable", None, False),
    "evicted for its own disk use": (OWN_DISK, PodPhase.FAILED, "Evicted", 137, False),
    "evicted for the node's need": (NODE_PRESSURE, PodPhase.FAILED, "Evicted", None, True),
    "preempted": (PREEMPTED, PodPhase.FAILED, "PreemptionByScheduler", 143, True),
    "not admitted by the kubelet": (NOT_ADMITTED, PodPhase.FAILED, "OutOfcpu", None, True),
    "node lost": (NODE_LOST, PodPhase.RUNNING, "NodeLost", None, True),
    "phase unknown": (UNKNOWN, PodPhase.UNKNOWN, "", None, True),
    "node rebooted": (REBOOTED, PodPhase.FAILED, "ContainerStatusUnknown", 137, True),
    "the pod's own deadline": (DEADLINE, PodPhase.FAILED, "DeadlineExceeded", None, False),
    "an init container failed": (INIT_FAILED, PodPhase.FAILED, "Error", 3, False),
    "an init container went well": (INIT_DONE, PodPhase.RUNNING, "", None, False),
    "no such command": (START_ERROR, PodPhase.FAILED, "StartError", 128, False),
    "nothing known yet": ({}, PodPhase.PENDING, "", None, False),
    "a phase of the future": ({"phase": "Dreaming"}, PodPhase.UNKNOWN, "", None, False),
    "succeeded": (
        {"phase": "Succeeded", "containerStatuses": terminated(0, "Completed")},
        PodPhase.SUCCEEDED,
        "Completed",
        0,
        False,
    ),
}


@pytest.mark.parametrize(("status", "phase", "reason", "exit_code", "disrupted"), STORIES.values(), ids=STORIES.keys())
def test_a_pods_story_is_told(
    status: dict[str, Any], phase: PodPhase, reason: str, exit_code: int | None, disrupted: bool
) -> None:
    view = parse(status)
    assert (view.phase, view.reason, view.exit_code, view.disrupted) == (phase, reason, exit_code, disrupted)


@pytest.mark.parametrize(
    ("status", "message"),
    [(PULL, "no such image x:1"), (UNSCHEDULABLE, "0/2 nodes are available"), (START_ERROR, "exec: not found")],
    ids=["kubelet", "scheduler", "runtime"],
)
def test_the_clusters_own_words_are_kept(status: dict[str, Any], message: str) -> None:
    assert parse(status).message == message


def test_the_tasks_last_message_is_its_outcome() -> None:
    outcome = TaskOutcome(reason="ProgramError", message="boom", traceback="Traceback …")
    view = parse({"phase": "Failed", "containerStatuses": terminated(64, message=encode(outcome).decode())})
    assert (view.outcome, view.message) == (outcome, "")


@pytest.mark.parametrize("message", ["", "killed", '{"reason": "Pro', "[]", '{"reason": 1}', "\ud800", '{"x":' * 2000])
def test_garbage_in_the_last_message_is_no_outcome(message: str) -> None:
    view = parse({"phase": "Failed", "containerStatuses": terminated(1, message=message)})
    assert (view.outcome, view.message) == (None, message)


FINISHES: dict[str, tuple[dict[str, Any], str | None]] = {
    "running": ({"phase": "Running", "startTime": STARTED}, None),
    "by its container": ({"phase": "Failed", "containerStatuses": terminated(1)}, FINISHED),
    "by its newest condition": (REBOOTED, FINISHED),
    "by its start": (NOT_ADMITTED, STARTED),
    "by its creation": ({"phase": "Failed"}, CREATED),
}


@pytest.mark.parametrize(("status", "expected"), FINISHES.values(), ids=FINISHES.keys())
def test_a_pod_finished_when_its_cluster_says(status: dict[str, Any], expected: str | None) -> None:
    assert parse(status).finished_at == parse_time(expected)


def test_a_pod_being_deleted_says_so() -> None:
    assert parse({"phase": "Running"}, deletionTimestamp=FINISHED).deleting


@pytest.mark.parametrize(("exit_code", "phase"), [(0, PodPhase.SUCCEEDED), (64, PodPhase.FAILED)])
def test_a_pod_whose_task_ended_has_ended_though_a_sidecar_runs_on(exit_code: int, phase: PodPhase) -> None:
    view = parse({"phase": "Running", "containerStatuses": terminated(exit_code)}, containers=2)
    assert (view.phase, view.finished_at, view.lingers) == (phase, parse_time(FINISHED), True)


@pytest.mark.parametrize(("exit_code", "phase"), [(0, "Succeeded"), (64, "Failed")])
def test_a_pod_of_which_nothing_runs_does_not_linger(exit_code: int, phase: str) -> None:
    assert not parse({"phase": phase, "containerStatuses": terminated(exit_code)}, containers=2).lingers
    assert not parse({"phase": "Running", "containerStatuses": task_state(running={})}, containers=2).lingers


def test_an_init_container_that_went_well_is_not_the_tasks_end() -> None:
    view = parse(INIT_DONE, containers=2)
    assert (view.phase, view.exit_code, view.finished_at) == (PodPhase.RUNNING, None, None)


def test_a_dead_sidecar_is_not_the_task() -> None:
    sidecar = {"name": "sidecar", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    view = parse({"phase": "Running", "containerStatuses": [sidecar, *task_state(running={})]}, containers=2)
    assert (view.phase, view.exit_code, view.reason) == (PodPhase.RUNNING, None, "")


@pytest.mark.parametrize("text", [None, "", "yesterday", 7])
def test_no_time_is_none(text: Any) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    "reason",
    [
        "OutOfcpu",
        "OutOfephemeral-storage",
        "OutOfnvidia.com/gpu",
        "TopologyAffinityError",
        "UnexpectedAdmissionError",
        "InvalidNodeInfo",
        "NodePorts",
        "TaintToleration",
    ],
)
def test_a_refusal_of_the_kubelet_is_not_the_programs_failure(reason: str) -> None:
    assert parse({"phase": "Failed", "reason": reason, "message": "Pod was rejected"}).disrupted
