from collections.abc import Callable
from dataclasses import replace

import pytest

from podreduce_operator.model.pipelines import Data
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.record_step import record_step
from podreduce_operator.pipeline_runs.remove_data import remove_output
from podreduce_operator.pipeline_runs.step_data import look_for_data, look_for_output
from tests.support.builders.pipelines import PAGERANK, make_pipeline
from tests.support.manual_clock import ManualClock
from tests.support.pipeline_stores import make_run, make_step_job, publish_parts

PAIRS = ((("a", 1), ("b", 2)), (("c", 3),))


async def record_seed(run: PipelineRun) -> str:
    """Publish and record the output of the step `seed`. Return its URI."""
    uri = f"{run.steps_uri}data/seed/"
    publish_parts(run, uri, PAIRS)
    await record_step(run, make_step_job("seed"), None)
    return uri


def cut_part(run: PipelineRun, uri: str) -> None:
    run.storage.open(uri).put("part-r-00001.pairs", b"cut")


HARM: dict[str, tuple[Callable[[PipelineRun, str], object], Data]] = {
    "nothing": (lambda _run, _uri: None, Data.PRESENT),
    "another object appears": (lambda run, uri: run.storage.open(uri).put("notes.txt", b"x"), Data.PRESENT),
    "_SUCCESS is deleted": (lambda run, uri: run.storage.open(uri).delete("_SUCCESS"), Data.GONE),
    "the manifest is deleted": (lambda run, uri: run.storage.open(uri).delete("_MANIFEST.json"), Data.GONE),
    "a part is deleted": (lambda run, uri: run.storage.open(uri).delete("part-r-00000.pairs"), Data.GONE),
    "a part is cut": (cut_part, Data.GONE),
    "all is deleted": (lambda run, uri: run.storage.open(uri).delete_prefix(""), Data.GONE),
    "another job wrote the same": (lambda run, uri: publish_parts(run, uri, PAIRS, job_uid="other"), Data.PRESENT),
    "another job wrote something else": (lambda run, uri: publish_parts(run, uri, job_uid="other"), Data.REPLACED),
}


@pytest.mark.parametrize("harm", HARM)
async def test_what_is_left_of_an_output(harm: str) -> None:
    run = make_run()
    uri = await record_seed(run)
    do_harm, expected = HARM[harm]
    do_harm(run, uri)
    found = await look_for_output(run.storage.open(uri), run.memory.records["seed"])
    assert found is expected


async def test_an_output_is_looked_for_again_after_some_seconds() -> None:
    clock = ManualClock()
    run = make_run(monotonic=clock)
    uri = await record_seed(run)
    run.storage.open(uri).delete("_SUCCESS")
    assert await look_for_data(run) == {"seed": Data.PRESENT}
    clock.now += 16
    assert await look_for_data(run) == {"seed": Data.GONE}


async def test_an_output_counts_as_gone_when_its_step_writes_elsewhere() -> None:
    """Tonight's place has a date in it: last night's output is no output of tonight."""
    run = make_run()
    await record_seed(run)
    seed, *others = PAGERANK["steps"]
    moved = make_pipeline({**PAGERANK, "steps": [{**seed, "output": {"uri": "s3://web/seed/"}}, *others]})
    assert await look_for_data(replace(run, view=moved)) == {"seed": Data.GONE}
    assert await look_for_data(run) == {"seed": Data.PRESENT}


async def test_of_a_loop_only_the_last_two_iterations_are_looked_for_again() -> None:
    clock = ManualClock()
    run = make_run(monotonic=clock)
    for number in (1, 2, 3):
        publish_parts(run, f"{run.steps_uri}data/sum/{number}/")
        await record_step(run, make_step_job(f"sum/{number}"), None)
        run.storage.open(f"{run.steps_uri}data/sum/{number}/").delete("_SUCCESS")
    clock.now += 16
    assert await look_for_data(run) == {"sum/1": Data.PRESENT, "sum/2": Data.GONE, "sum/3": Data.GONE}


async def test_removing_an_output_leaves_its_record_and_other_outputs() -> None:
    run = make_run()
    await record_seed(run)
    publish_parts(run, f"{run.steps_uri}data/seed-2/")
    await remove_output(run, run.memory.records["seed"].place)
    assert await look_for_data(run) == {"seed": Data.GONE}
    assert sorted(each.key for each in run.steps.list("data/")) == [
        "data/seed-2/_MANIFEST.json",
        "data/seed-2/_SUCCESS",
        "data/seed-2/part-r-00000.pairs",
    ]
    assert [each.key for each in run.steps.list("records/")] == ["records/seed.json"]
