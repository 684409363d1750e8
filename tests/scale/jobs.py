"""MapReduceJobs whose tasks are fake, run by the real operator."""

import time
from typing import Any

from podreduce_operator.api.crd import API_VERSION, KIND, PLURAL
from podreduce_operator.cluster.kubernetes.api import Json, custom_path
from tests.scale.fake_nodes import TEMPLATE_SPEC, runs_for
from tests.scale.figures import Figures, created_per_second, percentile, succession_delays
from tests.scale.operator_process import run_operator
from tests.scale.stage import INPUT, OUTPUT, Stage, poll

__all__ = ["run_jobs"]

SOURCE = """\
class Nothing:
    def map_func(self, key, value):
        yield value, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""


async def run_jobs(stage: Stage, name: str, *, jobs: int, maps: int, parallelism: int, seconds: float) -> Figures:
    """Run so many jobs of so many maps and one reduce each, all at once; each fake task takes `seconds`."""
    pods = jobs * (maps + 1)
    async with stage.new_namespace():
        with run_operator(stage.cluster.kubeconfig, stage.logs / "operator.log", parallelism) as operator:
            path = custom_path(API_VERSION, PLURAL, stage.namespace)
            started = time.monotonic()
            output = f"s3://{OUTPUT}/{stage.namespace}"
            manifests = [make_job(f"job-{number}", output, maps, parallelism, seconds) for number in range(jobs)]
            await stage.create(path, manifests)
            await poll(lambda: all_complete(stage, path, jobs), f"{jobs} jobs to complete")
            elapsed = time.monotonic() - started
            cpu, peak = operator.cpu_seconds(), operator.peak_mib()
        delays = succession_delays(stage.times, parallelism) if jobs == 1 and maps > parallelism else []
        return Figures(
            name=name,
            pods=pods,
            seconds=elapsed,
            per_second=created_per_second(stage.times, min(parallelism, maps) if jobs == 1 else pods),
            delay_p50=percentile(delays, 0.5),
            delay_p99=percentile(delays, 0.99),
            cpu_millis_per_pod=1000 * cpu / pods,
            peak_mib=peak,
        )


async def all_complete(stage: Stage, path: str, jobs: int) -> bool:
    """Tell whether every job has completed.

    Raises:
        AssertionError: one has failed.
    """
    complete = 0
    for job in (await stage.api.get(path))["items"]:
        conditions = {one["type"]: one for one in (job.get("status") or {}).get("conditions", ())}
        failed = conditions.get("Failed", {})
        assert failed.get("status") != "True", failed.get("message")
        complete += conditions.get("Complete", {}).get("status") == "True"
    return complete == jobs


def make_job(name: str, output: str, maps: int, parallelism: int, seconds: float) -> Json:
    """Return a job whose pods land on fake nodes, and whose output goes below `output`."""
    template: dict[str, Any] = {"metadata": {"annotations": runs_for(seconds)}, "spec": TEMPLATE_SPEC}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "program": {"source": SOURCE},
            "input": {"uris": [f"s3://{INPUT}/"]},
            "output": {"uri": f"{output}/{name}/"},
            "map": {"shards": maps},
            "reduce": {"partitions": 1},
            "parallelism": parallelism,
            "speculation": "Never",
            "podTemplate": template,
        },
    }
