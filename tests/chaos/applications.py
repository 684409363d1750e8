"""`python -m tests.chaos.applications`: the applications on a real cluster, and one pod of each killed while it works.

Each must give, object for object and byte for byte, what `podreduce run` of the same file gives here: tables, alerts,
report and figures. The number of tasks of each step is written into the file, because it decides into how many parts a
map-only step cuts its output. Whether the results are right is for the tests of each application to say.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from rich.table import Table

from podreduce_apps.catalog import find_pipeline, find_sample_writer
from podreduce_apps.risk.handbook import Shop
from podreduce_apps.risk.sample import write_data
from podreduce_operator.pods.pod_names import JOB_LABEL
from tests.bench.paths import PODREDUCE
from tests.chaos.pipeline_stage import Outcome, Stage, is_end, run_program, striking
from tests.chaos.stage import CORPUS, OUTPUT
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images, load_apps_image

TASKS: Final = 2
"""Maps and reduces of each step that does not say how many it needs."""
POLL_SECONDS: Final = 0.5
OF_THE_RUN: Final = ("_SUCCESS", "_MANIFEST.json")
"""Objects that name the run itself; no two runs have the same."""
SHOP: Final = Shop(customers=120, terminals=240, first_day="2018-06-20", days=56, radius=29.0, seed=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application, and what it is run on.

    Attributes:
        name: as `podreduce app list` has it.
        victim: the step of which a pod is killed.
        parameters: beside input and output: less work than by default.
        draw: writes the data.
    """

    name: str
    victim: str
    draw: Callable[[Path], None]
    parameters: Mapping[str, object] = field(default_factory=dict)


APPLICATIONS: Final = (
    Application(name="risk", victim="merchant-windows", draw=lambda at: discard(write_data(at, SHOP))),
    Application(
        name="socialnetwork",
        victim="adjacency",
        draw=find_sample_writer("socialnetwork"),
        parameters={"influenceSets": 5000, "influenceRuns": 100, "drawnVertices": 100, "tolerance": "1e-6"},
    ),
    Application(name="recommendation", victim="clean", draw=find_sample_writer("recommendation")),
)


def discard(_: object) -> None:
    """Return nothing of what a function returns."""


def read_manifest(application: Application, source: str, output: str, image: str) -> dict[str, Any]:
    """Return an application's pipeline with the number of tasks in it, places, and the image for its libraries."""
    manifest: dict[str, Any] = yaml.safe_load(find_pipeline(application.name).read_text())
    places = {"input": source, "output": output}
    manifest["spec"]["parameters"] |= {**places, **{name: str(each) for name, each in application.parameters.items()}}
    for step in manifest["spec"]["steps"]:
        step.setdefault("map", {}).setdefault("shards", max(TASKS, len(step["inputs"])))
        step.setdefault("reduce", {}).setdefault("partitions", TASKS)
        if "image" in step:
            step["image"] = image
    return manifest


def run_here(application: Application, data: Path, output: Path) -> None:
    """Run an application by the local engine."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(read_manifest(application, f"{data}/", str(output), "podreduce-apps"), file)
        file.flush()
        subprocess.run([str(PODREDUCE), "run", file.name, "--log-format", "lines"], check=True, stderr=sys.stdout)


def read_files(directory: Path) -> dict[str, bytes]:
    """Return the bytes of each object of the results, without those that name the run."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name not in OF_THE_RUN)
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def differences(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    """Return the names of objects that are not in both, or not the same."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def rehearse(application: Application, stage: Stage) -> Outcome:
    """Run an application here and on the cluster, and compare."""
    with tempfile.TemporaryDirectory(prefix="podreduce-applications-") as scratch:
        data, here, there = (Path(scratch) / name for name in ("data", "here", "there"))
        application.draw(data)
        run_here(application, data, here)
        namespace = stage.set_up("applications", data)
        places = f"s3://{CORPUS}/{namespace}/", f"s3://{OUTPUT}/{namespace}"
        started = time.monotonic()
        stage.cluster.apply(read_manifest(application, *places, Images().apps), namespace=namespace)
        with killing_a_pod(stage.cluster, namespace, application.victim) as killed:
            status = stage.wait(application.name, namespace)
        seconds = time.monotonic() - started
        stage.cluster.wait_for(lambda: not stage.has_claims(namespace), "the release of the last claim")
        stage.download(namespace, there)
        found, expected = read_files(there), read_files(here)
        stage.take_down(namespace)
    problem = judge(status, killed, differences(found, expected))
    return Outcome(seconds=seconds, facts=(", ".join(killed), str(len(expected))), problem=problem)


def judge(status: Mapping[str, Any], killed: Sequence[str], differ: Sequence[str]) -> str:
    """Return what is not as it should be."""
    (ended,) = (each for each in status["conditions"] if is_end(each))
    if ended["type"] != "Complete":
        return f"{ended['reason']}: {ended['message']}"
    if not killed:
        return "no pod was there to be killed"
    return f"other bytes than here: {', '.join(differ[:5])}" if differ else ""


def killing_a_pod(cluster: Cluster, namespace: str, step: str) -> AbstractContextManager[list[str]]:
    """Kill one pod of a step at once when it runs. Give the list with its name."""

    def strike() -> list[str]:
        for name in running_pods(cluster, namespace, step)[:1]:
            done = cluster.kubectl(
                "delete", "pod", name, "--namespace", namespace, "--grace-period=0", "--force", check=False
            )
            return [name] if done.returncode == 0 else []
        return []

    return striking(strike, every_seconds=POLL_SECONDS, once=True)


def running_pods(cluster: Cluster, namespace: str, step: str) -> list[str]:
    """Return the names of a step's pods that run."""
    return [
        pod["metadata"]["name"]
        for pod in cluster.list("pods", namespace)
        if pod["status"].get("phase") == "Running" and f"-{step}-" in pod["metadata"]["labels"].get(JOB_LABEL, "")
    ]


def main(argv: Sequence[str]) -> int:
    """Run the applications asked for; 1 if one did not give what it should."""
    table = Table("application", "seconds", "killed pod", "objects", "outputs")
    return run_program(
        "tests.chaos.applications",
        str(__doc__),
        APPLICATIONS,
        rehearse,
        table=table,
        argv=argv,
        prepare=lambda stage: load_apps_image(stage.cluster, Images()),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
