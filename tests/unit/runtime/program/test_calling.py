from typing import Any

import pytest

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.encoding.codec import encode_key, restore
from podreduce.program.calling import bucket_by_program, cannot_aggregate, check_pair, combine_by_program, iterate
from podreduce.program.loading import LoadedProgram, load_program


def load(*members: str) -> LoadedProgram:
    lines = ["class Job:", " def map_func(self, k, v): pass", *members]
    return load_program(Program(source="\n".join(lines)), name="job")


REDUCES = " def reduce_func(self, k, v): pass"


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, []),
        ([], []),
        ([("a", 1)], [("a", 1)]),
        ((pair for pair in [(1, 2)]), [(1, 2)]),
        ({("a", 1)}, [("a", 1)]),
        ((("a", 1),), [("a", 1)]),
        ((), []),
    ],
)
def test_pairs_may_come_in_any_iterable(returned: Any, expected: list[Any]) -> None:
    assert list(iterate(returned, "Job.map_func")) == expected


@pytest.mark.parametrize("returned", [5, "text", b"bytes", {"a": 1}, object, ("FR", 12.5), (1,)])
def test_what_is_no_list_of_pairs_is_refused(returned: Any) -> None:
    with pytest.raises(ProgramError, match=r"Job.map_func returned .*: yield key, value"):
        iterate(returned, "Job.map_func")


@pytest.mark.parametrize("pair", ["ab", ("a",), ("a", 1, 2), None, 7, {"a": 1, "b": 2}])
def test_what_is_no_pair_is_refused(pair: Any) -> None:
    with pytest.raises(ProgramError, match="which is not a pair"):
        check_pair(pair, "Job.map_func")


def test_nothing_combines_without_a_combiner() -> None:
    assert combine_by_program(load(REDUCES)) is None


def test_combine_func_gets_an_iterator_and_may_yield_less_or_more() -> None:
    combine = combine_by_program(load(REDUCES, " def combine_func(self, k, vs): return [(k, next(vs)), [k, [*vs]]]"))
    assert combine
    assert restore(combine(("a", 1), [1, 2, 3])) == [1, [2, 3]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield k + 'x', 1", "Job.combine_func yielded the key 'kx' for 'k': it must yield the same key"),
        ("yield 1.5, 1", "must yield the same key"),
        ("yield k", "which is not a pair"),
        ("yield k, {1}", "builtins.set|set cannot be a value"),
        ("yield k, 1 / 0", "ZeroDivisionError"),
        ("return 5", "Job.combine_func returned int 5"),
    ],
)
def test_a_wrong_combine_func_is_told_with_its_key(body: str, message: str) -> None:
    combine = combine_by_program(load(REDUCES, f" def combine_func(self, k, vs): {body}"))
    assert combine
    with pytest.raises(ProgramError, match=message) as raised:
        combine("k", [1])
    assert raised.value.record == "key 'k'"


def test_the_program_chooses_the_partition() -> None:
    bucket_of = bucket_by_program(load(REDUCES, " def partition_func(self, k, n): return k % n"), 3)
    assert [bucket_of(encode_key(key)) for key in range(5)] == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    "body", ["return 3", "return -1", "return 'a'", "return None", "return 1.0", "raise KeyError(k)"]
)
def test_a_partition_out_of_range_is_told_with_its_key(body: str) -> None:
    bucket_of = bucket_by_program(load(REDUCES, f" def partition_func(self, k, n): {body}"), 3)
    with pytest.raises(ProgramError, match=r"must return an int from 0 to 2|KeyError") as raised:
        bucket_of(encode_key("k"))
    assert raised.value.record == "key 'k'"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            (' combiner = "sum"',),
            "combiner 'sum' cannot take values of the key 'k': no numbers; write a reduce_func for such values",
        ),
        (
            (" def reduce_func(self, k, vs):", "  yield k, sum(vs)"),
            (
                "TypeError: no numbers (in the sum of Job.reduce_func over the values of the key 'k'): "
                "yield values that it supports, or write the loop yourself"
            ),
        ),
    ],
    ids=["as it declares", "as it is written"],
)
def test_values_without_an_aggregate_are_told_as_the_program_has_it(members: tuple[str, ...], message: str) -> None:
    error = cannot_aggregate(load(*members), "k", TypeError("no numbers"))
    assert (str(error), error.record) == (message, "key 'k'")
