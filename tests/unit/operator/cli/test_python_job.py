from pathlib import Path

import pytest

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.agreement import find_difference, rounded
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.python_job import guess_format, read_python_job
from podreduce_operator.cli.python_run import read_class
from podreduce_operator.cli.run import InvalidFileError, RunOptions, load_job, read_any_file

JOB = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["a.txt"], "Text"),
        (["a.csv", "s3://b/c.csv.gz"], "CSV"),
        (["logs/*.jsonl"], "JSONLines"),
        (["a.ndjson.zst"], "JSONLines"),
        (["A.PARQUET"], "Parquet"),
        (["a.csv", "a.jsonl"], "Text"),
        (["s3://b/prefix/"], "Text"),
        ([], "Text"),
    ],
)
def test_the_format_is_the_one_that_all_names_agree_on(inputs: list[str], expected: str) -> None:
    assert guess_format(inputs) == expected


def test_a_directory_has_the_format_of_its_files(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "_SUCCESS", ".hidden"):
        (tmp_path / name).touch()
    assert guess_format([str(tmp_path)]) == "CSV"
    (tmp_path / "c.txt").touch()
    assert guess_format([str(tmp_path)]) == "Text"


def test_a_python_file_and_a_command_line_make_a_job(tmp_path: Path) -> None:
    path = tmp_path / "Word_Count.py"
    path.write_text(JOB)
    overrides = Overrides(inputs=("in.csv",), output="out", parameters=("n=3", "empty=", "a=b=c"))
    file = read_any_file(RunOptions(file=str(path), overrides=overrides))
    spec = load_job(file, overrides).spec
    assert file.manifest["metadata"]["name"] == "word-count"
    assert (spec.program.source, spec.input.format, file.directory) == (JOB, "CSV", tmp_path)
    assert spec.program.parameters == {"n": "3", "empty": "", "a": "b=c"}


@pytest.mark.parametrize("overrides", [Overrides(output="out"), Overrides(inputs=("in",))], ids=["input", "output"])
def test_a_python_file_alone_does_not_say_what_to_read_and_where_to_write(tmp_path: Path, overrides: Overrides) -> None:
    path = tmp_path / "job.py"
    path.write_text(JOB)
    with pytest.raises(InvalidFileError, match=r"job\.py INPUT\.\.\. -o OUTPUT"):
        read_any_file(RunOptions(file=str(path), overrides=overrides))


def test_a_problem_of_a_python_file_has_the_files_own_line(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_text(f"{JOB}    combiner = 'avg'\n")
    overrides = Overrides(inputs=("in",), output="out")
    with pytest.raises(InvalidFileError, match=rf"^{path}:4:16: Job\.combiner is 'avg'"):
        load_job(read_any_file(RunOptions(file=str(path), overrides=overrides)), overrides)


def test_a_number_for_a_parameter_is_told_what_p_is_for(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_text(JOB)
    overrides = Overrides(inputs=("in",), output="out", parameters=("4",))
    with pytest.raises(InvalidFileError, match=r"^-p 4: expected NAME=VALUE.* -j$"):
        load_job(read_any_file(RunOptions(file=str(path), overrides=overrides)), overrides)


def test_a_python_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"absent\.py: cannot be read: No such file"):
        read_python_job(str(tmp_path / "absent.py"))


class Here:
    def map_func(self, key: int, value: str) -> None: ...


def test_the_source_of_a_class_is_that_of_its_file() -> None:
    text, file = read_class(Here)
    assert (text, file) == (Path(__file__).read_text(encoding="utf-8"), __file__)


def test_a_class_without_a_source_says_where_to_define_it() -> None:
    made = type("Made", (), {"map_func": eval("lambda self, key, value: []")})  # noqa: S307 - nothing has its source
    made.__module__ = "__nowhere__"
    with pytest.raises(ValueError, match="the source of Made is not known: define it in a file or a notebook cell"):
        read_class(made)


def test_the_first_difference_is_of_the_same_key_on_both_sides() -> None:
    expected, found = ['["a", 1]', '["b", 2]', '["c", 3]'], ['["a", 1]', '["b", 5]', '["c", 3]']
    assert find_difference(expected, found) == ('["b", 2]', '["b", 5]')
    assert find_difference(expected, expected[::-1]) is None
    assert find_difference(expected, expected[1:]) == ('["a", 1]', None)
    assert find_difference(expected, [*expected, '["a", 1]']) == (None, '["a", 1]')
    assert find_difference([], []) is None


def test_floats_that_differ_by_the_order_of_a_sum_are_the_same() -> None:
    assert rounded({"a": [0.1 + 0.2, 1]}) == rounded({"a": [0.3, 1]})
    assert rounded(0.3) != rounded(0.31)
