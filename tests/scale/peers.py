"""What the operator is measured against: a bare loop that creates pods, and Indexed Jobs of the same pods."""

import time
from dataclasses import replace

from podreduce_operator.cluster.kubernetes.api import Json, core_path, custom_path
from podreduce_operator.pods.pod_manifest import PodDefaults, build_pod
from tests.scale.fake_nodes import TEMPLATE_SPEC, runs_for
from tests.scale.fake_tasks import TASK_LABEL
from tests.scale.figures import Figures, created_per_second, percentile, succession_delays
from tests.scale.stage import Stage, poll
from tests.support.builders.jobs import make_job
from tests.support.builders.pods import make_pod_request

__all__ = ["run_bare_loop", "run_indexed_job"]


async def run_bare_loop(stage: Stage, name: str, *, pods: int, seconds: float) -> Figures:
    """Create pods, and do nothing else, so many at a time as the operator does."""
    async with stage.new_namespace():
        manifests = [make_pod(f"pod-{number}", seconds) for number in range(pods)]
        started = time.monotonic()
        await stage.create(core_path("pods", stage.namespace), manifests)
        elapsed = time.monotonic() - started
        await poll(lambda: has_created(stage, pods), "the watch to show the pods")
        return Figures(name=name, pods=pods, seconds=elapsed, per_second=created_per_second(stage.times, pods))


async def has_created(stage: Stage, pods: int) -> bool:
    """Tell whether the watch has shown so many."""
    return len(stage.times.created) >= pods


async def run_indexed_job(stage: Stage, name: str, *, maps: int, parallelism: int, seconds: float) -> Figures:
    """Run as many pods as the maps are, then one as the reduce, by the Job controller."""
    async with stage.new_namespace():
        started = time.monotonic()
        for job, completions in (("maps", maps), ("reduce", 1)):
            await run_job(stage, job, completions, parallelism, seconds)
        elapsed = time.monotonic() - started
        delays = succession_delays(stage.times, parallelism) if maps > parallelism else []
        for job in ("maps", "reduce"):
            path = custom_path("batch/v1", "jobs", stage.namespace, job)
            await stage.api.delete(path, {"propagationPolicy": "Background"})
        return Figures(
            name=name,
            pods=maps + 1,
            seconds=elapsed,
            per_second=created_per_second(stage.times, min(parallelism, maps)),
            delay_p50=percentile(delays, 0.5),
            delay_p99=percentile(delays, 0.99),
        )


async def run_job(stage: Stage, name: str, completions: int, parallelism: int, seconds: float) -> None:
    """Run an Indexed Job to its end."""
    path = custom_path("batch/v1", "jobs", stage.namespace)
    pod = make_pod(name, seconds)
    metadata = {"annotations": pod["metadata"]["annotations"], "labels": {TASK_LABEL: "true"}}
    template = {"metadata": metadata, "spec": pod["spec"]}
    spec = {
        "completionMode": "Indexed",
        "completions": completions,
        "parallelism": min(parallelism, completions),
        "template": template,
    }
    await stage.api.create(path, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})

    async def is_complete() -> bool:
        job = await stage.api.get(f"{path}/{name}")
        conditions = {one["type"]: one for one in job["status"].get("conditions", ())}
        assert "Failed" not in conditions, conditions["Failed"]
        return "Complete" in conditions

    await poll(is_complete, f"the Job {name} to complete")


def make_pod(name: str, seconds: float) -> Json:
    """Return a pod as the operator would create it, but that nobody owns it."""
    template = {"metadata": {"annotations": runs_for(seconds)}, "spec": TEMPLATE_SPEC}
    request = make_pod_request(make_job(spec={"podTemplate": template}), run_uri="s3://work/a/run/of/some/length/")
    pod = build_pod(replace(request, name=name), PodDefaults(image="fake:1"), has_ca_cert=False)
    metadata = {"name": name, "annotations": pod["metadata"]["annotations"], "labels": {"app": "peer"}}
    return {**pod, "metadata": metadata}
