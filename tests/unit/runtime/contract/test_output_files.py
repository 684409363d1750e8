import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.output_files import FileRef, find_clash, find_name_problem, is_file_key
from podreduce.contract.wire import decode, encode
from podreduce_operator.api.input_uris import parse_input_uri

SOUND = [
    "report.html",
    "a",
    "plots/a-b.png",
    "m-3.html",
    "day=2026-05-01/x+y@z,1.csv",
    "apart-1",
    "a/part-1",
    "A" * 200,
]
UNSAFE = [
    "",
    "/etc/passwd",
    "../x",
    "a/../x",
    "..",
    ".",
    "./a",
    "a//b",
    "a/",
    "_SUCCESS",
    ".hidden",
    "a/.b",
    "a/_b",
    "part-r-00000.txt",
    "a b",
    "a\n",
    "a\\b",
    "ä.html",
    "a#1",
    "a%2f",
    "a\0",
    "A" * 201,
]


def decodes(name: str) -> bool:
    """Whether the operator takes a record with this name."""
    record = FileRef(name=name, key="k", bytes=0, sha256="")
    try:
        return decode(encode(record), FileRef) == record
    except msgspec.ValidationError:
        return False


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_name_is_taken_by_task_and_operator(name: str) -> None:
    assert find_name_problem(name) is None
    assert decodes(name)
    assert is_file_key(f"_files/{name}")


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_is_refused_by_task_and_operator(name: str) -> None:
    assert find_name_problem(name) is not None
    assert not decodes(name)
    assert not is_file_key(f"_files/{name}")


@given(name=st.text(max_size=12) | st.text("a./_-p\n", max_size=8))
def test_whatever_the_name_task_and_operator_agree_and_no_input_reads_it_as_a_part(name: str) -> None:
    taken = find_name_problem(name) is None
    assert taken == decodes(name) == is_file_key(f"_files/{name}")
    if taken:
        assert not {"", ".", ".."} & set(name.split("/"))
        assert not any(parse_input_uri(uri).names(f"out/_files/{name}") for uri in ("s3://b/out/", "s3://b/out/**"))


@pytest.mark.parametrize(
    ("name", "clash"),
    [("a", "a"), ("a/b", "a"), ("c", "c/d"), ("c/d/e", "c/d"), ("c/e", None), ("ca", None)],
)
def test_a_file_is_not_beside_a_directory_of_its_name(name: str, clash: str | None) -> None:
    assert find_clash(name, ["a", "c/d"]) == clash
