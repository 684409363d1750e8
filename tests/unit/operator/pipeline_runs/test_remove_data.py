from dataclasses import replace
from uuid import uuid4

from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.places import run_uri
from podreduce_operator.pipeline_runs.remove_data import remove_earlier_plans
from tests.support.builders.pipelines import make_pipeline
from tests.support.pipeline_stores import make_run


def keep(run: PipelineRun, uid: str, run_id: str) -> str:
    """Write an object of a run, and return its name below the work prefix."""
    store = run.storage.open(run_uri(run.storage, replace(run.view, uid=uid), run_id))
    store.put("plan/pipeline.json", b"{}")
    return store.uri_of("plan/pipeline.json")


def left(run: PipelineRun) -> set[str]:
    work = run.storage.open(run.storage.work_uri)
    return {work.uri_of(found.key) for found in work.list("")}


async def test_a_new_run_removes_what_earlier_ones_have_pinned_and_nothing_else() -> None:
    own, other = str(uuid4()), str(uuid4())
    run = make_run(replace(make_pipeline(), uid=own))
    kept = {keep(run, own, "1"), keep(run, own, "_steps"), keep(run, other, "0")}
    for run_id in ("0", "2026-05-01", "1a"):
        keep(run, own, run_id)
    await remove_earlier_plans(run)
    assert left(run) == kept
