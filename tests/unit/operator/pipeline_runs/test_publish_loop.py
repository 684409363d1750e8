from uuid import uuid4

import pytest

from podreduce.contract.plan import JobIdentity
from podreduce_operator.model.errors import ActionError
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.publish_loop import publish_loop
from podreduce_operator.pipeline_runs.record_step import record_step
from podreduce_operator.pipeline_runs.step_data import read_published_digest
from podreduce_operator.runs.output_claim import Claim, claim_output
from podreduce_operator.runs.output_records import iter_records
from tests.support.dying_store import OperatorDiedError, dying_storage
from tests.support.pipeline_stores import make_run, make_step_job, publish_parts

LAST = ((("a", 1), ("b", 2)), (), (("c", 3),))


async def record_last(run: PipelineRun) -> None:
    """Publish and record the second iteration of `sum`."""
    publish_parts(run, f"{run.steps_uri}data/sum/2/", LAST)
    await record_step(run, make_step_job("sum/2"), None)


def some_uri() -> str:
    return f"memory://{uuid4().hex}/ranks/"


def records_at(run: PipelineRun, uri: str) -> list[object]:
    return list(iter_records(run.storage.open(uri)))


async def test_the_last_iteration_is_copied_and_an_earlier_result_is_replaced() -> None:
    run, uri = make_run(), some_uri()
    publish_parts(run, uri, [[("old", n)] for n in range(5)], job_uid="old")
    await record_last(run)
    record = run.memory.records["sum/2"]
    await publish_loop(run, record, uri)
    assert records_at(run, uri) == [("a", 1), ("b", 2), ("c", 3)]
    assert await read_published_digest(run.storage.open(uri)) == record.output_digest
    assert [each.key for each in run.storage.open(uri).list("_podreduce")] == []


@pytest.mark.parametrize("steps", range(14))
async def test_an_interrupted_copy_is_continued_by_the_next_operator(steps: int) -> None:
    run, uri = make_run(), some_uri()
    publish_parts(run, uri, [[("old", n)] for n in range(5)], job_uid="old")
    await record_last(run)
    record = run.memory.records["sum/2"]
    try:
        await publish_loop(dying_storage(run, steps), record, uri)
    except OperatorDiedError:
        digest = await read_published_digest(run.storage.open(uri))
        assert digest in {None, record.output_digest} or records_at(run, uri) == [("old", n) for n in range(5)]
    await publish_loop(run, record, uri)
    assert records_at(run, uri) == [("a", 1), ("b", 2), ("c", 3)]
    assert sorted(each.key for each in run.storage.open(uri).list("_podreduce")) == []


async def test_the_output_of_another_run_is_left_alone() -> None:
    run, uri = make_run(), some_uri()
    await record_last(run)
    other = JobIdentity(namespace="shop", name="counts", uid="u-2", run_id="7")
    await claim_output(run.storage.open(uri), Claim(installation="here", job=other))
    with pytest.raises(ActionError, match="is being written by shop/counts"):
        await publish_loop(run, run.memory.records["sum/2"], uri)
    assert await read_published_digest(run.storage.open(uri)) is None


async def test_a_claim_of_an_earlier_run_of_the_same_pipeline_is_taken_over() -> None:
    run, uri = make_run(), some_uri()
    await record_last(run)
    earlier = JobIdentity(namespace="shop", name="pagerank", uid=run.view.uid, run_id="0")
    await claim_output(run.storage.open(uri), Claim(installation="here", job=earlier))
    await publish_loop(run, run.memory.records["sum/2"], uri)
    assert len(records_at(run, uri)) == 3
