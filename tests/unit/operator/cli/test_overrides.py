from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.cli.overrides import OverrideError, Overrides, apply_overrides, resolve_uri


def make_manifest(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "wordcount"}, "spec": {"input": {"uris": ["s3://corpus/books/"]}, **spec}}


def override(manifest: dict[str, Any], **options: Any) -> dict[str, Any]:
    spec: dict[str, Any] = apply_overrides(manifest, Overrides(**options))["spec"]
    return spec


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("spec.reduce.partitions=4", ("reduce", "partitions"), 4),
        ("spec.runId=2", ("runId",), "2"),
        ("spec.suspend=true", ("suspend",), True),
        ("spec.program.parameters.minLength=3", ("program", "parameters", "minLength"), "3"),
        ("spec.program.parameters.a\\.b=x=y", ("program", "parameters", "a.b"), "x=y"),
        ("spec.input.uris[0]=s3://other/", ("input", "uris", 0), "s3://other/"),
        ("spec.input.uris[1]=s3://other/", ("input", "uris", 1), "s3://other/"),
        ("spec.map.shardSize=64Mi", ("map", "shardSize"), "64Mi"),
        ("spec.map.shards=null", ("map", "shards"), None),
        ("spec.podTemplate.metadata.labels.team=blue", ("podTemplate", "metadata", "labels", "team"), "blue"),
        ("spec.output.uri=", ("output", "uri"), ""),
    ],
)
def test_set_puts_the_value_in_its_place(assignment: str, path: tuple[str | int, ...], value: object) -> None:
    found: Any = override(make_manifest(), assignments=[assignment])
    for part in path:
        found = found[part]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "assignment",
    [
        "spec.suspend",
        "reduce.partitions=4",
        "spec=1",
        "status.phase=x",
        "spec.input.uris[7]=x",
        "spec.input.uris.x=1",
        "=1",
    ],
)
def test_set_without_a_place_is_refused_with_an_example_or_the_path(assignment: str) -> None:
    with pytest.raises(OverrideError, match=r"^--set .*(spec\.reduce\.partitions=4|check the path)"):
        override(make_manifest(), assignments=[assignment])


def test_options_replace_what_the_file_says() -> None:
    manifest = make_manifest(
        output={"uri": "s3://corpus/counts/", "format": "Text"}, parallelism=9, backoffLimitPerTask=4
    )
    spec = override(manifest, inputs=["s3://a/", "s3://b/"], output="s3://c/d", parallelism=2, retries=1)
    assert spec["input"]["uris"] == ["s3://a/", "s3://b/"]
    assert spec["output"] == {"uri": "s3://c/d/", "format": "Text"}
    assert (spec["parallelism"], spec["backoffLimitPerTask"]) == (2, 1)


def test_the_file_is_left_as_it_was() -> None:
    manifest = make_manifest()
    override(manifest, assignments=["spec.input.uris[0]=x"])
    assert manifest == make_manifest()


@pytest.mark.parametrize(("in_file", "expected"), [(None, 0), (4, 4)], ids=["silent", "said"])
def test_a_local_run_makes_no_retries_unless_the_file_says_so(in_file: int | None, expected: int) -> None:
    manifest = make_manifest(**({} if in_file is None else {"backoffLimitPerTask": in_file}))
    assert override(manifest)["backoffLimitPerTask"] == expected


@pytest.mark.parametrize("spec", [None, [], "text"], ids=["null", "list", "text"])
def test_a_spec_of_the_wrong_type_is_left_to_validation(spec: object) -> None:
    assert apply_overrides({"spec": spec}, Overrides())["spec"] == spec


@pytest.mark.parametrize("section", [[], {"uris": "x"}, {"uris": [1]}], ids=["list", "text", "number"])
def test_a_field_of_the_wrong_type_is_left_to_validation(section: object) -> None:
    assert override({"spec": {"input": section}})["input"] == section


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("books", "file://{here}/books/"),
        ("books/", "file://{here}/books/"),
        ("./books/../books", "file://{here}/books/"),
        ("books/*.txt", "file://{here}/books/*.txt"),
        ("absent", "file://{here}/absent"),
        ("absent/", "file://{here}/absent/"),
        ("a book.txt", "file://{here}/a book.txt"),
        ("/", "file:///"),
        ("/data", "file:///data"),
        ("file:///data/../data2", "file:///data2"),
        ("file://data", "file://data"),
        ("s3://corpus/books", "s3://corpus/books"),
        ("", ""),
    ],
)
def test_paths_become_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    (tmp_path / "books").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve_uri(text) == expected.format(here=tmp_path)


def test_a_file_that_this_process_alone_has_open_is_the_file_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    with path.open() as file:
        for name in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}"):
            assert resolve_uri(name) == f"file://{path}"


def test_the_home_directory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert resolve_uri("~/books") == "file:///home/ada/books"


def test_an_output_directory_gets_its_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert override(make_manifest(), output="counts")["output"]["uri"] == f"file://{tmp_path}/counts/"
