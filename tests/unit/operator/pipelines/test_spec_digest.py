"""What makes a step run again, and what does not: exactly what its output depends on."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.model.pipelines import CreateStep, Place
from podreduce_operator.pipelines.first_jobs import build_first_jobs
from podreduce_operator.pipelines.freshness import Node, Source
from podreduce_operator.pipelines.job_of_step import PinnedRun, build_step_job
from podreduce_operator.pipelines.spec_digest import SpecDigest, digest_step
from tests.support.builders.pipelines import PAGERANK, SOURCE, make_pipeline

RUN = PinnedRun(run_hash="0123456789")
STEPS = ("seed", "spread", "sum", "top")
CLASSES = {"seed": "Seed", "spread": "Spread", "sum": "Sum", "top": "Top"}
PINNED = "registry.example/ml@sha256:" + "0" * 64

Change = Callable[[dict[str, Any]], object]


def digests_of(fields: Mapping[str, Any], *, runs_in_image: bool = True) -> dict[str, SpecDigest]:
    pipeline = make_pipeline(fields)
    jobs = build_first_jobs(pipeline, RUN, "s3://work/data/")
    return {name: digest_step(pipeline.spec, name, job, runs_in_image=runs_in_image) for name, job in jobs.items()}


def changed_by(change: Change) -> set[str]:
    """The steps whose digest a change of the pipeline changes."""
    fields = deepcopy(PAGERANK)
    change(fields)
    before, after = digests_of(PAGERANK), digests_of(fields)
    return {name for name in STEPS if before[name] != after[name]}


def put(path: str, value: Any) -> Change:
    """A change: `value` at a path such as `steps.1.output`."""

    def change(fields: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        target: Any = fields
        for parent in parents:
            target = target[int(parent)] if parent.isdecimal() else target.setdefault(parent, {})
        target[last] = value

    return change


def comment_in(name: str) -> Change:
    line = f"class {name}:\n" if name != "Top" else "class Top(Sum):\n"
    return put("program.source", SOURCE.replace(line, f"{line}    # better\n"))


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (comment_in("Seed"), {"seed"}),
        (comment_in("Spread"), {"spread"}),
        (comment_in("Sum"), {"sum", "top"}),
        (comment_in("Top"), {"top"}),
        (put("program.source", f"import os\n{SOURCE}"), set(STEPS)),
        (put("program.source", f"{SOURCE}\nprint(globals())\n"), set(STEPS)),
        (put("parameters.day", "2026-05-02"), set(STEPS)),
        (put("steps.0.inheritParameters", []), {"seed"}),
        (put("steps.0.inheritParameters", ["day"]), set()),
        (put("steps.2.parameters", {"damping": "0.85"}), {"sum"}),
        (put("steps.2.className", "Top"), {"sum"}),
        (put("image", "registry.example/ours:2"), set(STEPS)),
        (put("steps.0.image", "registry.example/ours:2"), {"seed"}),
        (put("steps.0.reduce", {"partitions": 3}), {"seed"}),
        (put("steps.2.reduce", {"partitionKeyLength": 1}), {"sum"}),
        (put("steps.2.badRecords", "Skip"), {"sum"}),
        (put("steps.3.inputs.0.name", "ranks"), {"top"}),
        (put("steps.0.inputs.0.encodingErrors", "Replace"), {"seed"}),
        (put("steps.3.sideInputs", [{"from": "seed"}]), {"top"}),
        (put("steps.3.output.order", "Total"), {"top"}),
        (put("steps.2.output", {"format": "JSONLines"}), {"spread", "sum", "top"}),
    ],
)
def test_a_step_changes_with_what_its_output_depends_on(change: Change, changed: set[str]) -> None:
    assert changed_by(change) == changed


@pytest.mark.parametrize(
    "change",
    [
        put("parallelism", 3),
        put("steps.2.parallelism", 3),
        put("steps.2.map", {"shards": 7}),
        put("steps.2.backoffLimitPerTask", 0),
        put("steps.2.activeDeadlineSeconds", 60),
        put("steps.2.podTemplate", {"spec": {"nodeSelector": {"disk": "ssd"}}}),
        put("podTemplate", {"spec": {"nodeSelector": {"disk": "ssd"}}}),
        put("storage", {"secretRef": {"name": "other"}}),
        put("steps.2.dependsOn", ["seed"]),
        put("steps.3.output.uri", "s3://elsewhere/"),
        put("steps.3.output.ifExists", "Replace"),
        put("loops.0.maxIterations", 50),
        put("loops.0.until", []),
        put("runId", "2"),
        put("steps.0.inputs.0.uris", ["s3://elsewhere/"]),
    ],
)
def test_no_step_changes_with_what_only_says_how_it_runs(change: Change) -> None:
    assert changed_by(change) == set()


def test_all_iterations_have_one_digest() -> None:
    pipeline = make_pipeline()
    node = Node(name="spread/9", spec_digest=None, sources=(Source(listing="x"), Source(step="sum/8")))
    outputs = {"sum/8": "s3://work/data/sum/8/", "spread/9": "s3://work/data/spread/9/"}
    job = build_step_job(pipeline, RUN, node, CreateStep(place=Place(step="spread", iteration=9), share=5), outputs)
    assert digest_step(pipeline.spec, "spread", job, runs_in_image=True) == digests_of(PAGERANK)["spread"]


@given(
    st.lists(st.sampled_from(STEPS), max_size=3, unique=True),
    st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20),
)
def test_a_comment_in_classes_changes_the_steps_that_use_them(edited: list[str], comment: str) -> None:
    source = SOURCE
    for name in edited:
        line = f"class {CLASSES[name]}(Sum):\n" if name == "top" else f"class {CLASSES[name]}:\n"
        source = source.replace(line, f"{line}    #{comment}\n")
    used = {"top": {"top", "sum"}} | {name: {name} for name in STEPS[:3]}
    names = {name for name in STEPS if used[name] & set(edited)}
    # A comment that names another class may change more: in doubt the whole text counts.
    found = changed_by(put("program.source", source))
    assert found >= names
    assert found == names or any(name in comment for name in CLASSES.values())


@pytest.mark.parametrize(
    ("fields", "runs_in_image", "reason"),
    [
        ({"reuse": "Never"}, True, "reuse is Never"),
        (
            {"program": {"module": "ml.rank"}, "image": "registry.example/ml:2"},
            True,
            "the module ml.rank is in the image registry.example/ml:2: name the image by digest (name@sha256:...)",
        ),
        (
            {"program": {"module": "ml.rank"}},
            True,
            "the module ml.rank is in the image the operator's own: name the image by digest (name@sha256:...)",
        ),
        (
            {"program": {"module": "ml.rank"}, "image": PINNED},
            False,
            "the module ml.rank is on this machine, where anything may have changed it",
        ),
    ],
)
def test_a_step_that_is_never_reused_says_why(fields: dict[str, Any], runs_in_image: bool, reason: str) -> None:
    found = digests_of({**PAGERANK, **fields}, runs_in_image=runs_in_image)["sum"]
    assert (found.digest, found.reason) == (None, reason)
    assert (found.recorded is not None) == (reason == "reuse is Never"), "a later run may reuse what this one makes"


def test_a_module_in_an_image_by_digest_is_known() -> None:
    assert digests_of({**PAGERANK, "program": {"module": "ml.rank"}, "image": PINNED})["sum"].digest is not None


@pytest.mark.parametrize(
    ("pipeline", "step", "is_known"), [("Never", "Unchanged", True), ("Unchanged", "Never", False)]
)
def test_a_steps_own_reuse_counts(pipeline: str, step: str, is_known: bool) -> None:
    fields = deepcopy(PAGERANK) | {"reuse": pipeline}
    fields["steps"][2]["reuse"] = step
    assert (digests_of(fields)["sum"].digest is not None) is is_known


def test_a_parameter_that_a_step_does_not_see_does_not_make_it_run_again() -> None:
    fields = deepcopy(PAGERANK)
    for step in fields["steps"][1:]:
        step["inheritParameters"] = []
    before = digests_of(fields)
    fields["parameters"]["day"] = "2026-05-02"
    after = digests_of(fields)
    assert {name for name in STEPS if before[name] != after[name]} == {"seed"}
