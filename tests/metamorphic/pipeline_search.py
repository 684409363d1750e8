"""Edits pipelines at random, runs each after each edit by the local engine, and compares it with a run from nothing."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random

from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.run import ExitStatus, RunOptions
from podreduce_operator.cli.run_any import run_any
from podreduce_operator.cluster.local.fork_server import ForkServer
from tests.metamorphic.edited_pipeline import EDITS, EditedPipeline, draw_pipeline

__all__ = ["PipelineRun", "run_edited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run of an edited pipeline. `problem`: how it differs from a run from nothing; empty if it does not."""

    edits: tuple[str, ...]
    states: dict[str, str]
    problem: str = ""


def run_edited(seed: int, runs: int, fork_server: ForkServer) -> Iterator[PipelineRun]:
    """Yield the runs of one pipeline, each after one to three edits."""
    rng = Random(seed)  # noqa: S311 - to be drawn again from its seed
    place = Path(tempfile.mkdtemp(prefix="podreduce-edited-"))
    try:
        pipeline = draw_pipeline(place, rng)
        for number in range(runs):
            edits = [edit(pipeline, rng) for edit in rng.choices(EDITS, k=rng.randint(1, 3) if number else 0)]
            yield run_once(pipeline, tuple(edits), fork_server)
    finally:
        shutil.rmtree(place)


def run_once(pipeline: EditedPipeline, edits: tuple[str, ...], fork_server: ForkServer) -> PipelineRun:
    """Run a pipeline as it is now, with what its runs before have kept."""
    file = pipeline.place / "pipeline.json"
    file.write_text(json.dumps(pipeline.manifest()))
    options = RunOptions(file=str(file), overrides=Overrides(parallelism=2), as_json=True, log_format="lines")
    printed, told = StringIO(), StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        ended = run_any(options, StepOverrides(keep=pipeline.place / "kept"), fork_server)
    if ended != ExitStatus.COMPLETE:
        return PipelineRun(edits=edits, states={}, problem=f"{ended!r}: {told.getvalue()}")
    states = {step["name"]: step["state"] for step in json.loads(printed.getvalue())["steps"]}
    found, expected = pipeline.found(), pipeline.expected()
    return PipelineRun(edits=edits, states=states, problem="" if found == expected else f"{found} != {expected}")
