"""A pipeline's store in memory, with outputs as jobs publish them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import uuid4

from podreduce.contract.environment import StorageSettings
from podreduce.contract.plan import Owner
from podreduce.contract.task import OutputManifest, OutputPart
from podreduce.contract.wire import encode
from podreduce.encoding.codec import encode_value
from podreduce.encoding.pair_frames import pack_pairs
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import PipelineView, StepJob
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, RunMemory
from tests.support.builders.pipelines import make_pipeline
from tests.support.manual_clock import ManualClock

__all__ = ["make_run", "make_step_job", "publish_parts"]


def make_run(view: PipelineView | None = None, **fields: Any) -> PipelineRun:
    """A run of a pipeline in a memory store of its own. Its clock stands still."""
    storage = JobStorage(work_uri=f"memory://{uuid4().hex}/work/", installation="here", settings=StorageSettings())
    known: dict[str, Any] = {"storage": storage, "memory": RunMemory(), "monotonic": ManualClock()}
    return PipelineRun(view=view or make_pipeline(), run_id="1", **known | fields)


def publish_parts(
    run: PipelineRun,
    uri: str,
    pairs: Sequence[Sequence[tuple[object, object]]] = ((("a", 1),),),
    *,
    job_uid: str = "job",
    counters: Mapping[str, Mapping[str, int]] | None = None,
    **fields: Any,
) -> OutputManifest:
    """Write an output with a part for each of `pairs`, as the job with this UID publishes it."""
    output, parts = run.storage.open(uri), []
    for number, each in enumerate(pairs):
        keys, values = ([encode_value(pair[at]) for pair in each] for at in (0, 1))
        data = pack_pairs(len(each), keys, values) if each else b""
        name = f"part-r-{number:05}.pairs"
        output.put(name, data)
        parts.append(OutputPart(name=name, records=len(each), bytes=len(data), sha256=sha256(data).hexdigest()))
    known: dict[str, Any] = {
        "job": "job",
        "namespace": run.view.key.namespace,
        "uid": job_uid,
        "run_id": "1",
        "owner": Owner(kind="MapReducePipeline", name=run.view.key.name, uid=run.view.uid),
        "plan_digest": "plan",
        "format": "Pairs",
        "records": sum(part.records for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "counters": counters or {},
        "parts": tuple(parts),
    }
    manifest = OutputManifest(**known | fields)
    output.put("_MANIFEST.json", encode(manifest))
    output.put("_SUCCESS", b"")
    return manifest


def make_step_job(name: str, **fields: Any) -> StepJob:
    """A complete job of a step; `sum/2` is its second iteration."""
    step, _, iteration = name.partition("/")
    place = Place(step=step, iteration=int(iteration or 0))
    known: dict[str, Any] = {"name": name, "uid": "job", "place": place, "run": "now", "ended": "Complete"}
    return StepJob(**known | fields)
