import json

import pytest

from podreduce_operator.api.job_files import ManifestError, parse_manifest

HEAD = "apiVersion: podreduce.dev/v1beta1\nkind: MapReduceJob\n"


def parse_spec(text: str) -> object:
    return parse_manifest(f"{HEAD}spec: {text}\n", "job.yaml")["spec"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{day: 2026-11-22}", {"day": "2026-11-22"}, id="a-date-stays-a-string"),
        pytest.param("{at: 12:30:00}", {"at": "12:30:00"}, id="a-clock-time-stays-a-string"),
        pytest.param("{factor: 1e1}", {"factor": 10.0}, id="an-exponent-needs-no-point"),
        pytest.param("{l: 010, m: 0x10, k: -3}", {"l": 8, "m": 16, "k": -3}, id="integers"),
        pytest.param("{a: yes, b: y, c: N, d: Off}", {"a": True, "b": True, "c": False, "d": False}, id="booleans"),
        pytest.param("{'n': 'y', \"on\": \"no\"}", {"n": "y", "on": "no"}, id="quoted-booleans-are-texts"),
        pytest.param("{1: a, b: ~}", {"1": "a", "b": None}, id="keys-become-strings"),
        pytest.param("{a: &x {b: 1}, c: {<<: *x, b: 2}}", {"a": {"b": 1}, "c": {"b": 2}}, id="merge-keys"),
        pytest.param("{s: '64Mi', t: 64Mi}", {"s": "64Mi", "t": "64Mi"}, id="strings"),
    ],
)
def test_scalars_are_read_as_kubectl_reads_them(text: str, expected: object) -> None:
    assert parse_spec(text) == expected


BOOLEANS = ("y", "Y", "yes", "Yes", "n", "N", "no", "NO", "on", "On", "off", "OFF")


@pytest.mark.parametrize("key", BOOLEANS)
def test_a_key_that_kubectl_reads_as_a_boolean_is_refused_with_its_line(key: str) -> None:
    with pytest.raises(ManifestError, match=rf'^job\.yaml:3:\d+: .*{key} is not a text in .*; write "{key}"'):
        parse_spec(f"{{program: {{parameters: {{{key}: '3'}}}}}}")
    assert parse_spec(f'{{program: {{parameters: {{"{key}": "3"}}}}}}')
    assert json.loads(json.dumps({key: 1})) == parse_manifest(f'{HEAD}spec: {{"{key}": 1}}', "job.yaml")["spec"]


def test_json_is_read_too() -> None:
    manifest = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "spec": {"a": [1, 1.5, None, "é"]}}
    assert parse_manifest(json.dumps(manifest, indent="\t"), "job.json") == manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{\n"a": 1,\n}', "job.json:3:1: not valid JSON: ", id="comma-at-the-end"),
        pytest.param('{"a": 1, "b": 2, "a": 3}', "job.json: not valid JSON: 'a' is given twice", id="field-twice"),
        pytest.param("", "job.json:1:1: not valid JSON: ", id="empty"),
    ],
)
def test_broken_json_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(ManifestError) as refusal:
        parse_manifest(text, "job.json")
    assert str(refusal.value).startswith(expected)


def test_empty_documents_around_the_job_do_not_matter() -> None:
    assert parse_manifest(f"---\n# nothing\n---\n{HEAD}---\n", "job.yaml")["kind"] == "MapReduceJob"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "job.yaml: expected one MapReduceJob, found an empty file", id="empty"),
        pytest.param(f"{HEAD}---\n{HEAD}", "job.yaml: expected one MapReduceJob, found 2 documents", id="several"),
        pytest.param(
            "- 1\n", "job.yaml: expected a mapping with apiVersion and kind, got list: name a job", id="a-list"
        ),
        pytest.param("a: [1\n", "job.yaml:2:1: not valid YAML: expected ',' or ']'", id="not-closed"),
        pytest.param("a:\n\tb: 1\n", "job.yaml:2:1: not valid YAML: found character '\\t'", id="tab"),
        pytest.param(f"{HEAD}kind: Job\n", "job.yaml:3:1: not valid YAML: 'kind' is given twice", id="key-twice"),
        pytest.param("kind: Job\n", "job.yaml: apiVersion: must be podreduce.dev/v1beta1, got null", id="no-version"),
        pytest.param(
            "apiVersion: podreduce.dev/v1beta1\nkind: Job\n",
            'job.yaml: kind: must be MapReduceJob, got "Job"',
            id="other-kind",
        ),
        pytest.param("a: \x00", "job.yaml: not valid YAML: unacceptable character", id="control-character"),
        pytest.param("a: !!binary aGk=\n", "job.yaml: not valid YAML: Object of type bytes", id="not-json"),
        pytest.param("a: &a [*a]\n", "job.yaml: not valid YAML: Circular reference", id="circular"),
        pytest.param("a: .nan\n", "job.yaml: not valid YAML: Out of range float", id="not-a-number"),
        pytest.param("a: !!python/name:os.system\n", "job.yaml:1:4: not valid YAML: could not determine", id="unsafe"),
    ],
)
def test_what_is_no_job_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(ManifestError) as refusal:
        parse_manifest(text, "job.yaml")
    assert str(refusal.value).startswith(expected)


BOOLEANS = ("y", "n", "yes", "no", "on", "off")
"""Texts that YAML 1.1, and so kubectl, reads as booleans; so it does if they are capitalised or in capitals."""


@pytest.mark.parametrize(
    "key", [spelt for word in BOOLEANS for spelt in sorted({word, word.capitalize(), word.upper()})]
)
def test_a_key_that_kubectl_reads_as_a_boolean_is_refused_at_its_place_unless_quoted(key: str) -> None:
    text = f"{HEAD}spec:\n  program:\n    parameters:\n      {{}}: '3'\n"
    with pytest.raises(ManifestError) as refusal:
        parse_manifest(text.format(key), "job.yaml")
    told = f'{key} is not a text in YAML 1.1: kubectl reads it as a boolean; write "{key}"'
    assert str(refusal.value) == f"job.yaml:6:7: not valid YAML: {told}"
    manifest = parse_manifest(text.format(f'"{key}"'), "job.yaml")
    assert manifest["spec"]["program"]["parameters"] == {key: "3"}
