"""Equal str values are kept once, as long as that pays; nobody can tell but by the memory and the bytes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.encoding.codec import decode_list, encode_list
from podreduce.rows.row_stores import MAX_INTERNED, TRIAL_RECORDS, ListGroups
from tests.support.blobs import make_map_output, read_groups
from tests.support.task_runs import LOG_ANALYSIS, TaskRun

DRAINED = LOG_ANALYSIS.replace("yield (fields[0], fields[1])", "yield from [(fields[0], fields[1])]")


def fill(values: Iterator[str]) -> ListGroups:
    groups = ListGroups(lambda missing: missing + (1 << 20))
    for number, value in enumerate(values):
        groups.add(number % 7, value)
        groups.weigh_interning(groups.records)
    return groups


def words(records: int, distinct: int) -> Iterator[str]:
    return (f"word {number % distinct}" for number in range(records))


def test_of_equal_values_one_object_is_kept() -> None:
    groups = fill(words(3 * TRIAL_RECORDS, 50))
    kept = {id(value) for _, values in groups.groups() for value in values}
    assert (len(kept), groups.interns) == (50, True)


def test_interning_is_given_up_where_most_values_are_new() -> None:
    groups = fill(words(TRIAL_RECORDS, TRIAL_RECORDS))
    assert (groups.interns, groups.interned) == (False, {})


def test_a_slow_start_is_no_reason_to_give_up() -> None:
    assert fill(words(2 * TRIAL_RECORDS, TRIAL_RECORDS // 3)).interns


def test_no_more_than_so_many_values_are_interned() -> None:
    groups = fill(each for word in words(MAX_INTERNED + 1, MAX_INTERNED + 1) for each in (word, "often", "often"))
    assert (len(groups.interned), groups.interns) == (MAX_INTERNED, True)


def test_an_interned_value_is_measured_once() -> None:
    once, often = fill(words(500, 500)).used_bytes(), fill(words(50_000, 500)).used_bytes()
    assert often - once < 20 * 50_000


@pytest.mark.parametrize("source", [LOG_ANALYSIS, DRAINED], ids=["fused", "drained"])
@pytest.mark.parametrize("distinct", [3, 90_000], ids=["few-values", "given-up-in-the-middle"])
def test_the_output_is_the_same(source: str, distinct: int) -> None:
    lines = [f"{number % 11},u{number % distinct}" for number in range(90_000)]
    run = TaskRun(source=source, objects={"log": "\n".join(lines).encode()})
    expected = [
        f'{key}\t["{url}",{count}]' for (key, url), count in Counter(tuple(x.split(",")) for x in lines).items()
    ]
    assert sorted(run.output_lines()) == sorted(expected)


@pytest.mark.parametrize("budget_bytes", [20_000, 1 << 30], ids=["spilled", "in-memory"])
def test_groups_of_every_size_come_back_in_order(tmp_path: Path, budget_bytes: int) -> None:
    records = [(key, f"v{number % 5}") for key in range(70) for number in range(key)]
    blob, _ = make_map_output(records, scratch=tmp_path, budget_bytes=budget_bytes, buckets=2)
    groups, _ = read_groups([blob], scratch=tmp_path)
    assert dict(groups) == {key: [f"v{number % 5}" for number in range(key)] for key in range(1, 70)}


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3), max_size=40))
def test_a_list_is_decoded_as_it_was(values: list[object]) -> None:
    decoded = decode_list(encode_list(values))
    assert [(type(value), value) for value in decoded] == [(type(value), value) for value in values]
