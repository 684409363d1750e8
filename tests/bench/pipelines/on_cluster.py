"""What pipelines cost on a real cluster: an iteration with nothing to do, and what the CRDs ask of the API server.

Rule: the cluster is brought up and taken away; without one these lines are left out.
"""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

import yaml
from kubernetes.client import CustomObjectsApi
from kubernetes.config import new_client_from_config

from podreduce_operator.api.crd import GROUP, JOBS, PIPELINES, SCHEDULES, VERSION, ResourceNames, load_crd
from tests.bench.paths import JOBS as FILES
from tests.bench.pipelines.rows import Row
from tests.bench.pipelines.runs import median_seconds
from tests.bench.telling import say
from tests.chaos.pipeline_stage import Stage, is_end, open_stage
from tests.chaos.stage import CORPUS, OUTPUT
from tests.cluster.processes import ClusterError
from tests.support.pipeline_cases import PIPELINE_CRD, largest_pipeline

__all__ = ["measure_on_cluster"]

MANY: Final = 20
GOAL_SECONDS: Final = 3
DRY_RUNS: Final = 7
SMALL_JOBS: Final = 7
KINDS: Final = (JOBS, PIPELINES, SCHEDULES)


def measure_on_cluster(repeats: int) -> list[Row]:
    """Measure all of it on one cluster."""
    try:
        with open_stage() as stage:
            return [*measure_crds(stage), *measure_small_jobs(stage), *measure_iterations(stage, repeats)]
    except ClusterError as error:
        say(f"the cluster is left out: {error}")
        return []


def measure_crds(stage: Stage) -> list[Row]:
    """Say how large the CRDs are, and how long the server's checks of a pipeline take."""
    rows = [Row(what=f"the CRD of {each.plural}", figure=f"{crd_bytes(each):,} bytes") for each in KINDS]
    small, large = time_dry_runs(stage, PIPELINE_CRD.case("plain").manifest()), time_dry_runs(stage, largest_pipeline())
    figure = f"{1000 * large:.0f} ms, of {1000 * small:.0f} ms for a small one"
    return [*rows, Row(what="dry run of the largest pipeline, with all CEL rules", figure=figure)]


def crd_bytes(names: ResourceNames) -> int:
    """Return the size of a CRD as JSON."""
    return len(json.dumps(load_crd(names), separators=(",", ":")))


def time_dry_runs(stage: Stage, manifest: Mapping[str, Any]) -> float:
    """Return the median seconds of a dry run by the API server."""
    with new_client_from_config(str(stage.cluster.kubeconfig)) as client:
        api, times = CustomObjectsApi(client), list[float]()
        for _ in range(DRY_RUNS):
            started = time.monotonic()
            api.create_namespaced_custom_object(
                GROUP, VERSION, "default", PIPELINES.plural, dict(manifest), dry_run="All", field_validation="Strict"
            )
            times.append(time.monotonic() - started)
    return median(times)


def measure_small_jobs(stage: Stage) -> list[Row]:
    """Time a word count of some lines from apply to Complete, in one pod and in a pod a task, in turn."""
    with tempfile.TemporaryDirectory(prefix="podreduce-small-") as directory:
        (Path(directory) / "words.txt").write_text("to be or not to be\n" * 100)
        namespace = stage.set_up("small", Path(directory))
    times: dict[str, list[float]] = {"Auto": [], "PerTask": []}
    for turn in range(SMALL_JOBS):
        for execution, known in times.items():
            known.append(run_small_job(stage, namespace, f"{execution.lower()}-{turn}", execution))
    stage.take_down(namespace)
    return [
        Row(what=f"a small job, apply to Complete, execution: {name}", figure=median_seconds(known))
        for name, known in times.items()
    ]


def run_small_job(stage: Stage, namespace: str, name: str, execution: str) -> float:
    """Run a job, and return the seconds from apply to Complete."""
    manifest: dict[str, Any] = yaml.safe_load((FILES / "wordcount.yaml").read_text())
    manifest["metadata"]["name"] = name
    manifest["spec"]["input"] = {"uris": [f"s3://{CORPUS}/{namespace}/words.txt"]}
    manifest["spec"]["output"] = {"uri": f"s3://{OUTPUT}/{namespace}/{name}/"}
    manifest["spec"]["execution"] = execution
    started = time.monotonic()
    stage.cluster.apply(manifest, namespace=namespace)
    stage.cluster.kubectl(
        "wait", "--for=condition=Complete", f"mrj/{name}", "--timeout=120s", "--namespace", namespace, timeout=130
    )
    return time.monotonic() - started


def measure_iterations(stage: Stage, repeats: int) -> list[Row]:
    """Time a run of many iterations and a run of one, in turn, and divide the difference."""
    with tempfile.TemporaryDirectory(prefix="podreduce-iterations-") as directory:
        (Path(directory) / "start.txt").write_text("1\n")
        namespace = stage.set_up("bench", Path(directory))
    times = [
        (run_loop(stage, namespace, f"many-{turn}", MANY), run_loop(stage, namespace, f"one-{turn}", 1))
        for turn in range(repeats)
    ]
    stage.take_down(namespace)
    each = median((many - one) / (MANY - 1) for many, one in times)
    what = "an iteration of one tiny step, on the cluster"
    return [Row(what=what, figure=f"{each:.1f} s", goal=f"{GOAL_SECONDS} s at most")]


def run_loop(stage: Stage, namespace: str, name: str, iterations: int) -> float:
    """Run the loop, and return the seconds from apply to the end.

    Raises:
        ClusterError: it did not complete.
    """
    manifest: dict[str, Any] = yaml.safe_load((FILES / "tiny-loop.yaml").read_text())
    manifest["metadata"]["name"] = name
    manifest["spec"]["loops"][0]["maxIterations"] = iterations
    manifest["spec"]["parameters"] = {
        "start": f"s3://{CORPUS}/{namespace}/start.txt",
        "output": f"s3://{OUTPUT}/{namespace}/{name}/",
    }
    started = time.monotonic()
    stage.cluster.apply(manifest, namespace=namespace)
    status = stage.wait(name, namespace)
    seconds = time.monotonic() - started
    ended = next(each for each in status["conditions"] if is_end(each))
    if ended["type"] != "Complete":
        raise ClusterError(f"{name}: {ended['reason']}: {ended['message']}")
    return seconds
