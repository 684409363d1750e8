"""What the job of a step is: its name, its labels, and its spec, in every iteration."""

from collections.abc import Mapping
from typing import Any

import pytest

from podreduce_operator.api.substitution import SubstitutionError
from podreduce_operator.api.validation import validate_job
from podreduce_operator.model.pipelines import CreateStep, PipelineView, Place
from podreduce_operator.pipelines.first_jobs import build_first_jobs
from podreduce_operator.pipelines.freshness import Node, Source
from podreduce_operator.pipelines.job_of_step import (
    PinnedRun,
    StepJobError,
    build_step_job,
    find_output_uri,
    read_place,
    step_job_name,
)
from podreduce_operator.pods.template_merge import PodTemplateError
from tests.support.builders.pipelines import LINKS, PAGERANK, SOURCE, make_pipeline

RUN = PinnedRun(run_hash="0123456789")
DATA = "s3://work/data/"
CONFIG_MAP = {"sourceFrom": {"configMapKeyRef": {"name": "web", "key": "steps.py"}}}


def job_of(name: str, fields: Mapping[str, Any] = PAGERANK, run: PinnedRun = RUN) -> dict[str, Any]:
    """The first job of a step."""
    return build_first_jobs(make_pipeline(fields), run, DATA)[name]


def pipeline_of(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"program": {"source": SOURCE}, "steps": list(steps), **fields}


def step(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "className": "Sum", "inputs": [{"uris": ["s3://in/"]}], **fields}


def test_a_job_belongs_to_the_pipeline_and_has_nothing_of_its_metadata() -> None:
    pipeline = make_pipeline(labels={"argocd.argoproj.io/instance": "shop", "kueue.x-k8s.io/queue-name": "batch"})
    node = Node(name="sum/12", spec_digest=None, sources=(Source(step="spread/12"),))
    action = CreateStep(place=Place(step="sum", iteration=12), share=3)
    outputs = {"spread/12": f"{DATA}spread/12", "sum/12": f"{DATA}sum/12"}
    job = build_step_job(pipeline, RUN, node, action, outputs)
    assert job == {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {
            "name": "pagerank-sum-0123456789-12",
            "namespace": "shop",
            "labels": {
                "podreduce.dev/pipeline": "pagerank",
                "podreduce.dev/step": "sum",
                "podreduce.dev/iteration": "12",
                "podreduce.dev/pipeline-run": "0123456789",
                "kueue.x-k8s.io/queue-name": "batch",
            },
            "ownerReferences": [
                {
                    "apiVersion": "podreduce.dev/v1beta1",
                    "kind": "MapReducePipeline",
                    "name": "pagerank",
                    "uid": "u-1",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "program": {"source": SOURCE, "className": "Sum", "parameters": {"day": "2026-05-01"}},
            "inputs": [{"name": "spread", "uris": [f"{DATA}spread/12/"], "format": "Pairs"}],
            "output": {"uri": f"{DATA}sum/12/", "format": "Pairs", "ifExists": "Replace"},
            "storage": {"secretRef": {"name": "podreduce-storage"}},
            "parallelism": 3,
            "suspend": False,
            "ttlSecondsAfterFinished": 60,
        },
    }


def job_of_iteration(number: int, maps_from: str | None = None) -> dict[str, Any]:
    """The job of PageRank's step that reads the links and the ranks, in an iteration."""
    place, ranks = Place(step="spread", iteration=number), f"sum/{number - 1}"
    node = Node(name=str(place), spec_digest=None, sources=(Source(listing="1"), Source(step=ranks)))
    outputs = {str(place): f"{DATA}{place}", ranks: f"{DATA}{ranks}"}
    return build_step_job(make_pipeline(), RUN, node, CreateStep(place=place, share=1, maps_from=maps_from), outputs)


def test_the_first_iteration_keeps_its_map_output_and_later_ones_name_its_job() -> None:
    first, second = job_of_iteration(3), job_of_iteration(4, first_name := "pagerank-spread-0123456789-3")
    assert first["metadata"]["name"] == first_name
    assert first["metadata"]["labels"]["podreduce.dev/keeps-maps"] == "true"
    assert "podreduce.dev/maps-from" not in first["metadata"]["labels"]
    assert first["spec"]["ttlSecondsAfterFinished"] == 7 * 86_400
    assert second["metadata"]["labels"]["podreduce.dev/maps-from"] == first_name
    assert "podreduce.dev/keeps-maps" not in second["metadata"]["labels"]
    assert second["spec"]["ttlSecondsAfterFinished"] == 60


@pytest.mark.parametrize("name", ["seed", "spread", "sum", "top"])
def test_the_crd_takes_the_job_of_each_step(name: str) -> None:
    validate_job(job_of(name))


def test_an_input_reads_objects_or_what_another_step_wrote() -> None:
    assert job_of("spread")["spec"]["inputs"] == [
        {"name": "links", "uris": ["s3://web/links/day=2026-05-01/"]},
        {"name": "sum", "uris": [f"{DATA}seed/"], "format": "Pairs"},
    ]


def test_a_side_input_is_one_of_the_job() -> None:
    fields = pipeline_of(
        step(), step("b", sideInputs=[{"from": "a"}, {"name": "model", **LINKS}]), parameters={"day": "x"}
    )
    assert job_of("b", fields)["spec"]["sideInputs"] == [
        {"name": "a", "uris": [f"{DATA}a/"], "format": "Pairs"},
        {"name": "model", "uris": ["s3://web/links/day=x/"]},
    ]


@pytest.mark.parametrize(
    ("output", "read"),
    [
        ({}, {"format": "Pairs"}),
        ({"uri": "s3://out/a/"}, {"format": "Text"}),
        ({"format": "JSONLines"}, {"format": "JSONLines"}),
        ({"format": "CSV"}, {"format": "CSV", "csv": {"header": False}}),
        ({"format": "CSV", "columns": ["x"]}, {"format": "CSV"}),
        ({"format": "FixedLength", "recordLength": 100}, {"format": "FixedLength", "recordLength": 100}),
    ],
)
def test_a_step_reads_what_another_one_writes(output: dict[str, Any], read: dict[str, Any]) -> None:
    job = job_of("b", pipeline_of(step(output=output), step("b", inputs=[{"from": "a", "encodingErrors": "Strict"}])))
    uri = output.get("uri", f"{DATA}a/")
    assert job["spec"]["inputs"] == [{"name": "a", "uris": [uri], "encodingErrors": "Strict", **read}]


def test_a_format_that_is_given_counts() -> None:
    given = {"from": "a", "format": "CSV", "csv": {"header": False, "delimiter": "|"}}
    job = job_of("b", pipeline_of(step(output={"format": "CSV"}), step("b", inputs=[given])))
    assert job["spec"]["inputs"][0]["csv"] == {"header": False, "delimiter": "|"}


@pytest.mark.parametrize(
    ("output", "owned", "if_exists"),
    [
        ({}, False, "Replace"),
        ({"ifExists": "Fail"}, False, "Replace"),
        ({"uri": "s3://out/a/", "ifExists": "ReplaceOwn"}, False, "Fail"),
        ({"uri": "s3://out/a/", "ifExists": "ReplaceOwn"}, True, "Replace"),
        ({"uri": "s3://out/a/", "ifExists": "Replace"}, False, "Replace"),
        ({"uri": "s3://out/a/", "ifExists": "Fail"}, True, "Fail"),
    ],
)
def test_what_the_pipeline_wrote_itself_is_replaced(output: dict[str, Any], owned: bool, if_exists: str) -> None:
    run = PinnedRun(run_hash="0123456789", owned=frozenset({"a"} if owned else ()))
    assert job_of("a", pipeline_of(step(output=output)), run)["spec"]["output"]["ifExists"] == if_exists


def test_an_iteration_writes_to_a_place_of_its_own_whatever_the_uri() -> None:
    loop = {"name": "l", "steps": ["a"], "maxIterations": 3}
    own = {"uri": "s3://out/a/", "ifExists": "Fail", "compression": "Gzip"}
    job = job_of("a", pipeline_of(step(output=own), loops=[loop]))
    assert job["spec"]["output"] == {
        "uri": f"{DATA}a/1/",
        "format": "Text",
        "ifExists": "Replace",
        "compression": "Gzip",
    }


def test_the_programs_of_the_pipeline_and_the_step_are_put_together() -> None:
    run = PinnedRun(run_hash="0123456789", sources={("web", "steps.py"): "class A: ..."})
    parameters = {"a": "pipeline", "b": "pipeline", "c": "pipeline", "escaped": "$(parameters.a)"}
    program = {**CONFIG_MAP, "className": "A", "parameters": {"b": "program $(parameters.a)", "c": "program"}}
    fields = pipeline_of(step(parameters={"c": "step $$(x)"}), program=program, parameters=parameters)
    assert job_of("a", fields, run)["spec"]["program"] == {
        "source": "class A: ...",
        "className": "Sum",
        "parameters": {"a": "pipeline", "b": "program pipeline", "c": "step $(x)", "escaped": "$(parameters.a)"},
    }


def test_a_steps_own_program_replaces_that_of_the_pipeline() -> None:
    own = {"name": "a", "inputs": [LINKS], "program": {"module": "shop.a"}}
    program = {"source": SOURCE, "className": "Sum", "parameters": {"b": "2"}}
    fields = pipeline_of(own, program=program, parameters={"day": "x"})
    assert job_of("a", fields)["spec"]["program"] == {"module": "shop.a", "parameters": {"day": "x"}}


def test_the_files_of_a_program_go_to_each_job() -> None:
    files = {
        "archive": {"uri": "s3://jobs/shop.zip", "digest": f"sha256:{'0a' * 32}"},
        "requirements": [{"uri": "s3://jobs/six-1.17.0-py2.py3-none-any.whl", "digest": f"sha256:{'0b' * 32}"}],
    }
    fields = pipeline_of(step(), program={"module": "shop.a", **files})
    assert job_of("a", fields)["spec"]["program"] == {"module": "shop.a", "className": "Sum", "parameters": {}, **files}


def test_image_storage_and_templates_are_those_of_the_step_over_those_of_the_pipeline() -> None:
    base = {"metadata": {"labels": {"team": "shop"}}, "spec": {"nodeSelector": {"disk": "ssd"}}}
    patch = {"spec": {"nodeSelector": {"zone": "a"}}}
    fields = pipeline_of(step(), step("b", image="own:2", podTemplate=patch), image="ours:1", podTemplate=base)
    first, second = job_of("a", fields)["spec"], job_of("b", fields)["spec"]
    assert (first["image"], second["image"]) == ("ours:1", "own:2")
    assert first["podTemplate"] == base
    assert second["podTemplate"]["spec"] == {"nodeSelector": {"disk": "ssd", "zone": "a"}}
    assert first["storage"] == second["storage"] == {"secretRef": {"name": "podreduce-storage"}}


@pytest.mark.parametrize("of_pipeline", [{}, {"spec": {"priorityClassName": "low"}}, {"spec": {"tolerations": []}}])
def test_a_null_in_a_steps_template_still_removes_the_field_from_the_pods(of_pipeline: dict[str, Any]) -> None:
    patch = {"spec": {"priorityClassName": None, "securityContext": {"fsGroup": None}}}
    template = job_of("a", pipeline_of(step(podTemplate=patch), podTemplate=of_pipeline))["spec"]["podTemplate"]
    assert template["spec"]["priorityClassName"] is None
    assert template["spec"]["securityContext"] == {"fsGroup": None}


def test_the_other_fields_of_a_step_are_those_of_its_job() -> None:
    own = {"map": {"shards": 3}, "backoffLimitPerTask": 0, "execution": "Auto", "chaos": {"killPercent": 5}}
    asked = step(**own, parallelism=2, dependsOn=[], reuse="Never")
    spec = job_of("a", pipeline_of(asked))["spec"]
    assert {name: spec[name] for name in own} == own
    assert spec["parallelism"] == 1, "its share, not its limit"
    assert not {"dependsOn", "reuse", "name", "className"} & set(spec)


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        (
            {"steps": [{"name": "a", "inputs": [{"uris": ["s3://in/"]}]}]},
            StepJobError,
            "the step a has no program: give it one, or give spec.program for all steps",
        ),
        (
            pipeline_of(step(program=CONFIG_MAP)),
            StepJobError,
            "the step a: the program in the ConfigMap web, key steps.py has more than 128 KiB",
        ),
        (
            pipeline_of(step(output={"uri": "s3://out/$(parameters.hour)/"}), parameters={"day": "x"}),
            SubstitutionError,
            r"spec\.steps\[0\]\.output\.uri: there is no parameter 'hour'",
        ),
        (
            pipeline_of(step(podTemplate={"spec": []}), podTemplate={"spec": {}}),
            PodTemplateError,
            r"step a: podTemplate\.spec: expected a mapping, not list",
        ),
    ],
)
def test_what_cannot_be_made_is_told_with_the_step(fields: dict[str, Any], error: type[Exception], told: str) -> None:
    run = PinnedRun(run_hash="0123456789", sources={("web", "steps.py"): "x" * 200_000})
    with pytest.raises(error, match=told):
        job_of("a", fields, run)


def test_a_long_name_of_a_pipeline_is_cut_and_the_rest_stays() -> None:
    place = Place(step="a" * 30, iteration=1000)
    names = {step_job_name(f"{'p' * 200}{number}", "0123456789", place) for number in range(2)}
    assert len(names) == 2
    assert {len(name) for name in names} == {63}
    assert all(name.endswith(f"-{'a' * 30}-0123456789-1000") for name in names)


@pytest.mark.parametrize("place", [Place(step="sum"), Place(step="sum", iteration=7)])
def test_a_job_tells_its_step_and_iteration(place: Place) -> None:
    node = Node(name=str(place), spec_digest=None, sources=(Source(step="spread"),))
    outputs = {"spread": "s3://x/", str(place): "s3://y/"}
    job = build_step_job(make_pipeline(), RUN, node, CreateStep(place=place, share=1), outputs)
    assert read_place(job["metadata"]["labels"]) == place


@pytest.mark.parametrize(
    "labels", [{}, {"podreduce.dev/step": ""}, {"podreduce.dev/step": "a", "podreduce.dev/iteration": "-1"}]
)
def test_other_labels_tell_no_step(labels: dict[str, str]) -> None:
    assert read_place(labels) is None


@pytest.mark.parametrize(
    ("place", "uri"),
    [
        (Place(step="top"), "s3://web/top/"),
        (Place(step="seed"), "s3://work/data/seed/"),
        (Place(step="sum", iteration=3), "s3://work/data/sum/3/"),
    ],
)
def test_an_output_is_at_its_uri_or_below_the_operators_place(place: Place, uri: str) -> None:
    pipeline: PipelineView = make_pipeline()
    assert find_output_uri(pipeline.spec, place, "s3://work/data") == uri
