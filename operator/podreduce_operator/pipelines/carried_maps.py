"""Which steps of a loop keep their map output, so that later iterations need not map again what does not change.

Rule: pure. The first iteration of a step in a run maps all its inputs, and its job keeps the map output until the loop
ends. The jobs of later iterations find it by that job's name (`planning.earlier_maps`), and believe nothing else.

A step has map output to keep if it reads something from outside its loop. Side inputs of the loop are read by all maps,
so then nothing is kept, and neither if the step asks for `reuse: Never`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from podreduce_operator.api.crd import GROUP
from podreduce_operator.api.pipeline_spec import LoopSpec, PipelineSpec, StepInput, StepSpec
from podreduce_operator.model.pipelines import StepJob

__all__ = [
    "KEEPS_MAPS_LABEL",
    "MAPS_FROM_LABEL",
    "find_kept_maps",
    "keeps_maps",
    "label_maps",
    "may_carry_maps",
    "read_maps_from",
]

KEEPS_MAPS_LABEL: Final = f"{GROUP}/keeps-maps"
MAPS_FROM_LABEL: Final = f"{GROUP}/maps-from"
YES: Final = "true"


def may_carry_maps(spec: PipelineSpec, step: StepSpec) -> bool:
    """Tell whether later iterations of a step may read the map output of its first one."""
    loop = spec.loop_of(step.name)
    if loop is None or (step.reuse or spec.reuse) == "Never":
        return False
    varies = [changes(each, loop) for each in step.inputs]
    return not all(varies) and not any(changes(each, loop) for each in step.side_inputs)


def changes(source: StepInput, loop: LoopSpec) -> bool:
    """Tell whether what a step of the loop reads may be another in each iteration."""
    return source.previous is not None or source.from_ in loop.steps


def label_maps(spec: PipelineSpec, step: StepSpec, maps_from: str | None) -> dict[str, str]:
    """Return the labels of a step's job: whose map output it may read, or else whether it keeps its own."""
    if maps_from is not None:
        return {MAPS_FROM_LABEL: maps_from}
    return {KEEPS_MAPS_LABEL: YES} if may_carry_maps(spec, step) else {}


def keeps_maps(labels: Mapping[str, str]) -> bool:
    """Tell whether the job with these labels keeps its map output after its end."""
    return labels.get(KEEPS_MAPS_LABEL) == YES


def read_maps_from(labels: Mapping[str, str]) -> str | None:
    """Return the name of the job whose map output the job with these labels may read."""
    return labels.get(MAPS_FROM_LABEL)


def find_kept_maps(jobs: Iterable[StepJob], step: str) -> StepJob | None:
    """Return the job of a step that has kept its map output; None if there is none."""
    kept = (job for job in jobs if job.place.step == step and job.keeps_maps)
    usable = (job for job in kept if job.ended == "Complete" and not job.deleting)
    return min(usable, key=lambda job: job.place, default=None)
