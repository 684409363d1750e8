"""Values for tests: each builder has a default for everything, so that a test names only what it is about."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.plan import JobIdentity, Plan, Program
from podreduce.contract.task import (
    BlobRef,
    CommitRecord,
    FailureRecord,
    LostOutput,
    PartRef,
    QuarantineRef,
    TaskOutcome,
    TaskRef,
    TaskType,
)
from podreduce_operator.api.spec import JobSpec, decode_spec
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import (
    Fault,
    Observed,
    PlanSummary,
    PostMortemView,
    PublishedOutput,
    RunState,
    ShuffleSummary,
)
from podreduce_operator.model.pods import PodPhase, PodRequest, PodView
from podreduce_operator.pods.pod_names import hash_run, pod_name
from podreduce_operator.policy.attempt_record import stage_of
from podreduce_operator.policy.failure_classes import class_of
from tests.support.crd_cases import DEFAULTED_SPEC

JOB_UID = "6f0c4a52-0000-4000-8000-000000000001"


def make_raw_output(**changes: Any) -> dict[str, Any]:
    """The `output` of a spec, with the CRD's defaults. Keys are those of the YAML."""
    return DEFAULTED_SPEC["output"] | changes


def make_raw_spec(**changes: Any) -> dict[str, Any]:
    """A spec as the API server stores it: with the CRD's defaults. Keys are those of the YAML."""
    return deepcopy(DEFAULTED_SPEC) | changes


def make_job(
    *,
    name: str = "wordcount",
    namespace: str = "default",
    uid: str = JOB_UID,
    generation: int = 1,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    deleting: bool = False,
) -> JobView:
    """A job; `spec` are changes to `make_raw_spec`."""
    raw_spec = make_raw_spec(**(spec or {}))
    return JobView(
        key=JobKey(namespace=namespace, name=name),
        uid=uid,
        generation=generation,
        spec=decode_spec(raw_spec),
        raw_spec=raw_spec,
        status=status or {},
        deleting=deleting,
    )


def make_spec(**changes: Any) -> JobSpec:
    """A decoded spec; `changes` are those of `make_raw_spec`."""
    return decode_spec(make_raw_spec(**changes))


def map_task(index: int = 0) -> TaskRef:
    return TaskRef(type=TaskType.MAP, index=index)


def reduce_task(index: int = 0) -> TaskRef:
    return TaskRef(type=TaskType.REDUCE, index=index)


def make_pod(
    task: TaskRef | None = None,
    *,
    ordinal: int = 1,
    run_id: str = "1",
    uid: str | None = None,
    phase: PodPhase = PodPhase.RUNNING,
    **fields: Any,
) -> PodView:
    """A pod of the default job's run `run_id`; running, unless `phase` says otherwise. Its name gives its UID."""
    task = task or map_task()
    run_hash = hash_run(JOB_UID, run_id)
    name = pod_name("wordcount", run_hash, task, ordinal)
    defaults: dict[str, Any] = {"generation": 0, "created_at": 0.0}
    return PodView(
        name=name,
        uid=uid or f"uid-{name}",
        run_hash=run_hash,
        task=task,
        ordinal=ordinal,
        phase=phase,
        **(defaults | fields),
    )


def make_failed_pod(
    task: TaskRef | None = None, *, finished_at: float = 100.0, reason: str = "ProgramError", **fields: Any
) -> PodView:
    """A pod whose task said why it failed."""
    outcome = TaskOutcome(reason=reason, message="boom")
    defaults: dict[str, Any] = {"phase": PodPhase.FAILED, "finished_at": finished_at, "exit_code": 64}
    return make_pod(task, **(defaults | {"outcome": outcome} | fields))


def make_outcome(reason: str = "ProgramError", message: str = "boom", **fields: Any) -> TaskOutcome:
    return TaskOutcome(reason=reason, message=message, **fields)


def make_commit(
    task: TaskRef | None = None, *, generation: int = 0, attempt_id: str | None = None, **fields: Any
) -> CommitRecord:
    """A commit: a map's names a blob, a reduce's a part. Without `attempt_id` it is by the pod of `make_pod`."""
    task = task or map_task()
    pod = make_pod(task)
    attempt_id = attempt_id or pod.attempt_id
    blob = BlobRef(key=f"data/map/{task.index}/{attempt_id}", bytes=10, footer_offset=5, footer_crc32=0)
    part = PartRef(key=f"_podreduce-{JOB_UID}-1/{task}-{attempt_id}", bytes=10, records=1, sha256="0" * 64)
    is_map = task.type is TaskType.MAP
    defaults: dict[str, Any] = {
        "pod_name": pod.name,
        "started_at": 0.0,
        "finished_at": 50.0,
        "records_in": 1,
        "bytes_in": 10,
        "records_out": 1,
        "bytes_out": 10,
        "blob": blob if is_map else None,
        "part": None if is_map else part,
    }
    return CommitRecord(task=task, generation=generation, attempt_id=attempt_id, **(defaults | fields))


def make_quarantine(records: int = 1) -> QuarantineRef:
    return QuarantineRef(key="quarantine/m-0-pod-0.jsonl", records=records, kept=min(records, 1000))


def make_failure(
    task: TaskRef | None = None,
    *,
    ordinal: int = 1,
    counted: bool = True,
    reason: str = "ProgramError",
    finished_at: float = 100.0,
    lost: tuple[TaskRef, int] | None = None,
    ends_job: bool | None = None,
    **fields: Any,
) -> FailureRecord:
    """The record of a failed attempt of `make_pod`; `lost` is the task and the generation of an output."""
    pod = make_pod(task, ordinal=ordinal)
    defaults: dict[str, Any] = {"generation": 0, "attempt_id": pod.attempt_id, "message": "boom"}
    return FailureRecord(
        task=pod.task,
        pod_name=pod.name,
        ordinal=ordinal,
        counted=counted,
        ends_job=class_of(reason).is_fatal if ends_job is None else ends_job,
        reason=reason,
        finished_at=finished_at,
        lost=None if lost is None else LostOutput(task=lost[0], generation=lost[1]),
        **(defaults | fields),
    )


def make_plan_summary(*, shards: int = 2, partitions: int | None = 1, **fields: Any) -> PlanSummary:
    defaults: dict[str, Any] = {"digest": "0" * 64, "objects": 1, "bytes": 100, "imbalance_bytes": 0.0}
    return PlanSummary(shards=shards, partitions=partitions, **(defaults | fields))


def make_shuffle(
    *,
    generation: int = 0,
    partitions: int = 1,
    map_generations: tuple[int, ...] = (0, 0),
    partition_bytes: tuple[int, ...] = (),
) -> ShuffleSummary:
    return ShuffleSummary(
        generation=generation,
        partitions=partitions,
        map_generations=map_generations,
        partition_bytes=partition_bytes or (100,) * partitions,
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )


def make_published() -> PublishedOutput:
    return PublishedOutput(uri="s3://corpus/counts/", records=1, bytes=10)


def make_post_mortem_view() -> PostMortemView:
    return PostMortemView(uri="s3://work/run/post-mortem.json", attempts_uri="s3://work/run/attempts.parquet")


def make_fault(reason: str = "StorageUnavailable", *, permanent: bool = False) -> Fault:
    return Fault(reason=reason, message=f"{reason}: of the test's making", permanent=permanent)


def make_observed(
    *,
    spec: Mapping[str, Any] | None = None,
    run_id: str = "1",
    run: RunState | None = None,
    commits: Iterable[CommitRecord] = (),
    failures: Iterable[FailureRecord] = (),
    **fields: Any,
) -> Observed:
    """The default job's world: planned (two shards, one partition), started at 0, no speculation, nothing else.

    Of its attempts all is kept that could be so far, and where it has ended its story is told.
    """
    is_ended = run is not None and run.terminal is not None
    defaults: dict[str, Any] = {
        "job": make_job(spec=spec),
        "plan": make_plan_summary(),
        "limits": Limits(speculates=False),
        "kept": {pod.attempt_id: stage_of(pod) for pod in fields.get("pods", ())},
        "post_mortem": make_post_mortem_view() if is_ended else None,
    }
    by_task: dict[TaskRef, tuple[FailureRecord, ...]] = {}
    for failure in failures:
        by_task[failure.task] = (*by_task.get(failure.task, ()), failure)
    return Observed(
        run_id=run_id,
        run_hash=hash_run(JOB_UID, run_id),
        run=run or RunState(run_id=run_id, started_at=0.0),
        commits={commit.task: commit for commit in commits},
        failures=by_task,
        **(defaults | fields),
    )


def make_plan(*, shards: int = 2, partitions: int | None = 1, user_partitions: int = 1, **fields: Any) -> Plan:
    """The default job's plan, as `planner.build_plan` would write it, over an input that is never read."""
    defaults: dict[str, Any] = {
        "job": JobIdentity(namespace="default", name="wordcount", uid=JOB_UID, run_id="1"),
        "program": Program(source="class Job: ..."),
        "input_format": "Text",
        "encoding_errors": "Strict",
        "objects": 1,
        "bytes": 100,
        "imbalance_bytes": 0.0,
        "pages": (),
        "virtual_buckets": 16,
        "output_uri": "memory://output/counts/",
        "output_format": "Text",
        "if_exists": "Fail",
        "spec": make_raw_spec(),
    }
    return Plan(shards=shards, partitions=partitions, user_partitions=user_partitions, **(defaults | fields))


def make_pod_request(
    job: JobView, task: str = "m-0", *, ordinal: int = 1, run_hash: str = "0123456789", run_uri: str, **spec: Any
) -> PodRequest:
    """A pod to create for `job`, of a run whose store is never read; `spec` are changes to the job's own."""
    environment = TaskEnvironment(
        run_uri=run_uri,
        plan_digest="0" * 64,
        task=TaskRef.parse(task),
        generation=0,
        pod_uid="",
        pod_name="",
    )
    return PodRequest(
        name=f"{job.key.name}-{task}-{ordinal}",
        job=job,
        run_hash=run_hash,
        ordinal=ordinal,
        environment=environment,
        spec={**job.raw_spec, **spec},
    )


class ManualClock:
    """Seconds that a test lets pass."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def make_kubeconfig(server: str) -> dict[str, Any]:
    """Return a KUBECONFIG of a server that asks for no credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "users": [{"name": "x", "user": {}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
