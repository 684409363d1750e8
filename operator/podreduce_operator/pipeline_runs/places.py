"""Where a pipeline's data lies, below `<workUri>/<installation>/<namespace>/<name>/`.

`<uid>-<runId>/plan/pipeline.json` is the pinned run. What outlives a run is below `<uid>-_steps/`: the outputs that
have no URI in `data/<step>/` (in a loop `data/<step>/<iteration>/`), and the records in `records/<step>.json`. Those
pipelines of a schedule that never run beside each other have one such place, which is the schedule's.
"""

from dataclasses import replace

from podreduce.contract.layout import run_prefix
from podreduce_operator.api.crd import SCHEDULES
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.pipeline_parameters import resolve_step
from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.resources import JobKey, ResourceView
from podreduce_operator.schedules.job_of_schedule import STEPS_LABEL

__all__ = [
    "DATA_PREFIX",
    "PINNED_KEY",
    "RECORDS_PREFIX",
    "STEPS",
    "record_key",
    "result_uri",
    "run_uri",
    "shares_steps",
    "steps_uri",
]

PINNED_KEY = "plan/pipeline.json"
RECORDS_PREFIX = "records/"
DATA_PREFIX = "data/"
STEPS = "_steps"
"""In the place of a runId. No runId begins with `_`."""


def run_uri(storage: JobStorage, pipeline: ResourceView, run_id: str) -> str:
    """Return where a run keeps what it has pinned."""
    key = pipeline.key
    return storage.work_uri + run_prefix(storage.installation, key.namespace, key.name, pipeline.uid, run_id)


def steps_uri(storage: JobStorage, pipeline: ResourceView) -> str:
    """Return where the records and the outputs without a URI lie: of a schedule or a pipeline."""
    schedule = pipeline.controller
    if schedule is None or not shares_steps(pipeline):
        return run_uri(storage, pipeline, STEPS)
    key = JobKey(namespace=pipeline.key.namespace, name=schedule.name)
    return run_uri(storage, replace(pipeline, key=key, uid=schedule.uid), STEPS)


def shares_steps(pipeline: ResourceView) -> bool:
    """Tell whether the pipeline's records and outputs without a URI are those of its schedule."""
    schedule = pipeline.controller
    if schedule is None or schedule.kind != SCHEDULES.kind:
        return False
    return pipeline.labels.get(STEPS_LABEL) == schedule.uid


def record_key(place: Place) -> str:
    """Return the key of a step's record."""
    return f"{RECORDS_PREFIX}{place}.json"


def result_uri(spec: PipelineSpec, step: str) -> str | None:
    """Return the URI that the user gave for a step's output, if there is one."""
    uri = resolve_step(spec, step).output.uri
    return None if uri is None else as_prefix(uri)
