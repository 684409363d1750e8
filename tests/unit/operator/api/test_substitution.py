from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.api.crd import job_schema
from podreduce_operator.api.substitution import SubstitutionError, substitute_spec, substitute_text

DAY = {"day": "2026-05-01"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://logs/day=$(parameters.day)/", "s3://logs/day=2026-05-01/"),
        ("$(parameters.day)$(parameters.day)", "2026-05-012026-05-01"),
        ("$$(parameters.day)", "$(parameters.day)"),
        ("$$$(parameters.day)", "$$(parameters.day)"),
        ("$(other) ${HOME} $ 5", "$(other) ${HOME} $ 5"),
        ("$(parameters.)", "$(parameters.)"),
        ("", ""),
    ],
)
def test_a_placeholder_becomes_its_value(text: str, expected: str) -> None:
    assert substitute_text(text, DAY, "spec.output.uri") == expected


def test_a_placeholder_without_a_parameter_names_its_place_and_what_there_is() -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute_text("s3://logs/$(parameters.hour)/", DAY, "spec.output.uri")
    assert str(caught.value) == (
        "spec.output.uri: there is no parameter 'hour' for $(parameters.hour): add it, or write $$( for a plain $(; "
        "the parameters: day"
    )


def test_uris_and_the_programs_parameters_take_placeholders_and_nothing_else() -> None:
    spec = {
        "program": {"source": "print('$(parameters.day)')", "parameters": {"day": "$(parameters.day)", "k": "5"}},
        "input": {"uris": ["s3://a/$(parameters.day)/", "s3://b/"], "format": "Text"},
        "output": {"uri": "s3://c/$(parameters.day)/"},
        "suspend": False,
    }
    assert substitute_spec(spec, DAY) == {
        "program": {"source": "print('$(parameters.day)')", "parameters": {"day": "2026-05-01", "k": "5"}},
        "input": {"uris": ["s3://a/2026-05-01/", "s3://b/"], "format": "Text"},
        "output": {"uri": "s3://c/2026-05-01/"},
        "suspend": False,
    }


def iter_uri_fields(schema: Mapping[str, Any]) -> Iterator[tuple[list[str], bool]]:
    """The path of each field for URIs of a job, `[]` for an item of a list, and whether it holds several."""
    for name, field in schema.get("properties", {}).items():
        if name in {"uri", "uris"}:
            yield [name], name == "uris"
        items = field.get("items", {})
        for path, many in iter_uri_fields(items):
            yield [name, "[]", *path], many
        for path, many in iter_uri_fields(field):
            yield [name, *path], many


def nest(path: list[str], value: Any) -> Any:
    for name in reversed(path):
        value = [value] if name == "[]" else {name: value}
    return value


def test_every_field_for_uris_takes_placeholders() -> None:
    fields = list(iter_uri_fields(job_schema()["properties"]["spec"]))
    assert {".".join(path) for path, _ in fields} >= {"input.uris", "inputs.[].uris", "output.uri"}
    for path, many in fields:
        texts = ["s3://a/$(parameters.day)/", "s3://a/2026-05-01/"]
        before, after = (nest(path, [text] if many else text) for text in texts)
        assert substitute_spec(before, DAY) == after, path


@given(st.text(alphabet="$(parmetes.day) x", max_size=40))
def test_any_text_can_be_written_with_doubled_dollars(text: str) -> None:
    assert substitute_text(text.replace("$(", "$$("), DAY, "here") == text


@pytest.mark.parametrize("field", ["inputs", "sideInputs"])
def test_the_uris_of_each_named_input_are_substituted(field: str) -> None:
    named = [{"name": "a", "uris": ["s3://b/fixed/"]}, {"name": "b", "uris": ["s3://b/$(parameters.day)/", "s3://b/x"]}]
    found = substitute_spec({field: named}, DAY)[field]
    assert found == [named[0], {"name": "b", "uris": ["s3://b/2026-05-01/", "s3://b/x"]}]
    named[1]["uris"] = ["s3://b/$(parameters.month)/"]
    with pytest.raises(SubstitutionError, match=rf"^spec\.{field}\[1\]\.uris\[0\]: there is no parameter 'month'"):
        substitute_spec({field: named}, DAY)
