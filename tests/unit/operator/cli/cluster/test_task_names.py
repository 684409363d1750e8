import pytest

from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.task_names import parse_task
from tests.support.job_manifests import running_job

STATUS = status_of(running_job())
"""Of 16 maps and 4 reduces."""


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("m-3", "m-3"),
        ("r-0", "r-0"),
        ("map-15", "m-15"),
        ("reduce-3", "r-3"),
        ("wordcount-1f0c9a2b3d-m-3-1", "m-3"),
        ("word-m-1-count-1f0c9a2b3d-r-2-14", "r-2"),
        ("7", "m-7"),
    ],
)
def test_a_task_is_named_in_several_ways(text: str, task: str) -> None:
    assert str(parse_task(text, STATUS)) == task


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "3 is a map and a reduce: say m-3 or r-3"),
        ("m-16", "there is no task m-16: its map tasks are m-0 to m-15"),
        ("r-4", "there is no task r-4: its reduce tasks are r-0 to r-3"),
        ("99", "there is no task m-99"),
        ("first", "first: name a task as m-3 (a map) or r-0 (a reduce)"),
        ("m-", "name a task"),
    ],
)
def test_what_names_no_task_or_two_is_refused(text: str, words: str) -> None:
    with pytest.raises(CommandError, match=words.replace("(", r"\(").replace(")", r"\)")):
        parse_task(text, STATUS)


def test_before_the_plan_any_task_may_come() -> None:
    assert str(parse_task("m-99", {})) == "m-99"
