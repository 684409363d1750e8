"""Pods of the default job, as they are seen and as they are asked for."""

from typing import Any

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pods import PodPhase, PodRequest, PodView
from podreduce_operator.pods.pod_names import hash_run, pod_name
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.tasks import map_task

__all__ = ["make_failed_pod", "make_pod", "make_pod_request"]


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
