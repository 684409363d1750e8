import re

import pytest

from podreduce_operator.api.validation import DNS_SUBDOMAIN
from podreduce_operator.cli.job_file import parse_job_file
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.run import InvalidFileError, load_job, read_memory

JOB = """
apiVersion: podreduce.dev/v1beta1
kind: MapReduceJob
metadata: {}
spec:
  program: {{source: "class A: map_func = print"}}
  input: {{uris: [in/]}}
  output: {{uri: out/}}
"""


def name_of(metadata: str, *assignments: str) -> str:
    file = parse_job_file(JOB.format(metadata), "job.yaml")
    return load_job(file, Overrides(assignments=assignments)).key.name


@pytest.mark.parametrize("start", ["wc-", "wc", "a.b-", "wc--", "x" * 200, f"{'x' * 57}-"])
def test_a_generated_name_begins_as_the_file_says_and_is_one_that_the_api_server_takes(start: str) -> None:
    names = {name_of(f"{{generateName: {start}}}") for _ in range(5)}
    assert len(names) == 5
    for name in names:
        assert name.startswith(start[:58])
        assert re.fullmatch(DNS_SUBDOMAIN, name)
        assert len(name) <= 63


def test_a_name_that_is_given_is_the_name() -> None:
    assert name_of("{name: words, generateName: wc-}") == "words"
    assert name_of("{generateName: wc-}", "metadata.name=words") == "words"


@pytest.mark.parametrize("metadata", ["{}", '{generateName: ""}', "{labels: {a: b}}"])
def test_a_job_without_any_name_is_refused(metadata: str) -> None:
    with pytest.raises(InvalidFileError, match=r"job\.yaml: metadata\.name: is required"):
        name_of(metadata)


@pytest.mark.parametrize(
    ("size", "memory_bytes"),
    [(None, None), ("1", 1), ("512Mi", 512 * 2**20), ("2G", 2 * 10**9)],
    ids=["not-given", "bytes", "mebibytes", "gigabytes"],
)
def test_memory_is_a_quantity_as_in_a_pod(size: str | None, memory_bytes: int | None) -> None:
    assert read_memory(size) == memory_bytes


@pytest.mark.parametrize("size", ["", "much", "-1", "1.5Gi", "0", "0Mi"])
def test_what_is_no_memory_is_refused_by_the_options_name(size: str) -> None:
    with pytest.raises(InvalidFileError, match=r"^--memory: "):
        read_memory(size)


PROGRAMS = """
apiVersion: podreduce.dev/v1beta1
kind: MapReduceJob
metadata: {name: words}
spec:
  program:
%s
  input: {uris: [in/]}
  output: {uri: out/}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: programs}
data:
  words.py: |
    class Words:
        combiner = "avg"
        def map_func(self, key, value):
            yield value, 1
"""
SOURCE = """    source: |
      class Words:
          def setup(self):
              pass
          def map_func(self, key, value)
              yield value, 1
"""


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        pytest.param(
            SOURCE,
            "job.yaml:11:41: SyntaxError: expected ':'\n"
            "    def map_func(self, key, value)\n"
            "                                  ^",
            id="syntax",
        ),
        pytest.param(
            SOURCE.replace("value)\n", "value):\n"),
            "job.yaml:9:11: Words.setup(self) cannot be called with (context): write def setup(self, context)\n"
            "    def setup(self):\n"
            "    ^",
            id="arguments",
        ),
        pytest.param(
            "    sourceFrom: {configMapKeyRef: {name: programs, key: words.py}}",
            "job.yaml:17:20: Words.combiner is 'avg': it must be one of sum, min, max, count, largest:N and "
            "smallest:N, with N from 1 to 10000\n"
            '    combiner = "avg"\n'
            "               ^",
            id="config-map",
        ),
        pytest.param(
            '    source: "class Words:\\n  def map_func(self): pass"',
            "job.yaml: spec.program.source, line 2, column 3: Words.map_func(self) cannot be called with (key, value): "
            "write def map_func(self, key, value)\n    def map_func(self): pass\n    ^",
            id="one-line",
        ),
        pytest.param(
            '    source: "x = 1"',
            "job.yaml: spec.program.source: the program defines no class with a map_func(self, key, value); "
            "it has no class at all",
            id="no-class",
        ),
    ],
)
def test_a_program_that_is_no_job_is_refused_at_its_place_in_the_file(program: str, problem: str) -> None:
    with pytest.raises(InvalidFileError) as refused:
        load_job(parse_job_file(PROGRAMS % program, "job.yaml"), Overrides())
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("field", "template", "message"),
    [
        ("podTemplate", "{containers: []}", "spec.podTemplate.containers: a pod template has metadata and spec; put"),
        (
            "podTemplate",
            "{spec: {containers: [{name: main, env: [{name: A, value: b}]}]}}",
            "spec.podTemplate.spec.containers[name=main]: it has no image: the task's own container is named 'task'",
        ),
        (
            "reduce",
            "{podTemplate: {spec: {initContainers: [{name: fetch, command: [wget]}]}}}",
            "spec.reduce.podTemplate.spec.initContainers[name=fetch]: it has no image: give it an image",
        ),
        ("map", "{podTemplate: {spec: {env: []}}}", "spec.map.podTemplate.spec.env: put it into spec.containers"),
        (
            "reduce",
            "{podTemplate: {metadata: {labels: {a: 1}}}}",
            "reduce.podTemplate.metadata.labels.a: expected a text",
        ),
    ],
)
def test_a_template_of_which_no_pod_can_be_made_is_refused(field: str, template: str, message: str) -> None:
    text = JOB.format("{name: words}") + f"  {field}: {template}\n"
    with pytest.raises(InvalidFileError, match=re.escape(message)):
        load_job(parse_job_file(text, "job.yaml"), Overrides())


def test_a_config_map_that_is_not_in_the_file_is_not_looked_at() -> None:
    program = "    sourceFrom: {configMapKeyRef: {name: others, key: words.py}}"
    assert load_job(parse_job_file(PROGRAMS % program, "job.yaml"), Overrides()).key.name == "words"
