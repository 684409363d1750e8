import pytest

from podreduce.contract.errors import ProgramError
from podreduce.program.counters import MAX_COUNTERS, Counters


def test_counters_add_up_by_group_and_name() -> None:
    counters = Counters()
    counters.count("words", "long")
    counters.count("words", "long", 4)
    counters.count("lines", "empty", 0)
    assert counters.built_in(fusedTasks=1) == {
        "podreduce": {"fusedTasks": 1},
        "words": {"long": 5},
        "lines": {"empty": 0},
    }


@pytest.mark.parametrize(
    ("group", "name", "n"),
    [("podreduce", "spills", 1), ("", "a", 1), ("a", "", 1), ("a", "x" * 201, 1), (1, "a", 1), ("a", "b", "1")],
)
def test_what_is_no_counter_is_refused(group: str, name: str, n: int) -> None:
    with pytest.raises(ProgramError, match=r"context\.count"):
        Counters().count(group, name, n)


def test_too_many_names_are_refused() -> None:
    counters = Counters()
    for number in range(MAX_COUNTERS):
        counters.count("a", str(number))
    counters.count("a", "7")
    with pytest.raises(ProgramError, match="a/one more would be counter 1001 of at most 1000"):
        counters.count("a", "one more")


def test_what_was_counted_since_the_mark_can_be_taken_back() -> None:
    counters = Counters()
    counters.count("words", "long", 5)
    counters.mark()
    counters.count("words", "long")
    counters.count("words", "short")
    counters.count("lines", "empty", 0)
    counters.undo()
    assert counters.built_in() == {"words": {"long": 5}}
    counters.count("words", "short", 3)
    counters.mark()
    counters.count("words", "short")
    counters.keep()
    counters.undo()
    assert counters.built_in()["words"] == {"long": 5, "short": 4}


def test_names_taken_back_leave_room_for_others() -> None:
    counters = Counters()
    counters.mark()
    for number in range(MAX_COUNTERS):
        counters.count("a", str(number))
    counters.undo()
    for number in range(MAX_COUNTERS):
        counters.count("b", str(number))
    assert len(counters.built_in()["b"]) == MAX_COUNTERS
