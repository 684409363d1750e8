"""Rows in the order of their keys as numbers, in as many passes as these need, and texts as such numbers."""

from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.columnar.row_order import Digits, cut_digits, join_digits, sort_rows
from podreduce.columnar.text_numbers import Texts, common_bytes, number_texts
from podreduce.encoding.keys import encode_key

PREFIXES = ["", "same", "the same for all of them, and long: "]
ENDINGS = st.one_of(st.text("abé", max_size=9), st.sampled_from(["\0", "a\0", "12345678", "123456789"]))


def in_order(rows: list[Any]) -> list[int]:
    keys = list(map(encode_key, rows))
    return sorted(range(len(keys)), key=keys.__getitem__)


@given(st.sampled_from(PREFIXES), st.lists(st.none() | ENDINGS, min_size=1, max_size=30), st.booleans())
@example("", ["12345678", None, "1234567"], False)  # noqa: FBT003 - by position, as given
@example("", ["", "\0", None], True)  # noqa: FBT003 - likewise
def test_texts_are_numbered_in_the_order_of_their_bytes(
    prefix: str, endings: list[str | None], is_repeated: bool
) -> None:
    texts = [None if each is None else prefix + each for each in endings * (4 if is_repeated else 1)]
    for kind in (pa.string(), pa.binary()):
        column = pa.array(["x", *texts, "x"]).cast(kind).slice(1, len(texts))
        values = column.to_pylist()
        assert sort_rows(column).tolist() == in_order(values)
        numbers = number_texts(column)
        if numbers is None:
            continue
        for (one, left), (other, right) in product(zip(values, numbers.tolist(), strict=True), repeat=2):
            if one is not None and other is not None:
                assert (left < right) == (one < other)


def test_long_texts_of_which_many_are_equal_are_numbered_and_distinct_ones_are_left_to_arrow() -> None:
    many = pa.array([f"{number % 7} of seven, all of them long" for number in range(100)])
    numbers = number_texts(many)
    assert numbers is not None
    assert numbers.tolist() == [number % 7 for number in range(100)]
    assert number_texts(pa.array([f"{number} is long and comes once" for number in range(40_000)])) is None


def test_the_bytes_that_all_texts_begin_with_are_not_looked_at() -> None:
    assert common_bytes(pa.array(["transaction-17", None, "transaction-23"])) == len("transaction-")
    assert common_bytes(pa.array([None], pa.string())) == 0
    numbers = number_texts(pa.array([f"transaction-{number:08}" for number in range(100_000)]))
    assert numbers is not None
    assert (np.diff(numbers.astype(np.int64)) > 0).all()


def test_a_text_ends_where_the_next_begins() -> None:
    texts = Texts(pa.array(["abc", "", "defghijkl", None, "m"]).slice(1))
    assert [word.to_bytes(8, "big").rstrip(b"\0") for word in texts.words(0).tolist()] == [b"", b"defghijk", b"", b"m"]
    assert [word.to_bytes(8, "big").rstrip(b"\0") for word in texts.words(7).tolist()] == [b"", b"kl", b"", b""]
    assert (texts.longest(), texts.has_zeros()) == (9, False)


@pytest.mark.parametrize("rows", [1, 2, 3, 500])
def test_numbers_of_all_bits_take_several_passes_and_equal_rows_stay_in_order(rows: int) -> None:
    random = np.random.default_rng(rows)
    wide = random.choice(random.integers(-(2**63), 2**63 - 1, 5), rows)
    floats = random.choice(np.array([-np.inf, -1.5, 0.0, 1e-300, np.inf]), rows)
    texts = random.choice(np.array(["1793787", "12345678", "a text that is longer than a word"]), rows)
    columns = [pa.array(wide), pa.array(floats), pa.array(texts.tolist()), pa.array(random.integers(2, size=rows) > 0)]
    keys = pa.StructArray.from_arrays(columns, names=["a", "b", "c", "d"])
    assert sort_rows(keys).tolist() == in_order([tuple(row.values()) for row in keys.to_pylist()])


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 64)), max_size=5), st.integers(1, 63))
def test_digits_are_cut_and_joined_without_losing_one(parts: list[tuple[int, int]], room: int) -> None:
    digits = [Digits(np.array([number % 2**bits], np.uint64), bits) for number, bits in parts]
    joined = list(join_digits(iter(digits), room))
    whole = sum(number % 2**bits << sum(b for _, b in parts[:place]) for place, (number, bits) in enumerate(parts))
    found, start = 0, 0
    for piece in joined:
        assert isinstance(piece, Digits)
        assert 0 < piece.bits <= room
        found |= int(piece.numbers[0]) << start
        start += piece.bits
    assert (found, start) == (whole, sum(bits for _, bits in parts))
    assert all(piece.bits <= room for each in digits for piece in cut_digits(each, room))


@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("kind", ["random", "far apart", "runs", "in order", "with nulls", "a slice"])
def test_a_column_of_ints_has_arrows_order(kind: str, rows: int) -> None:
    random = np.random.default_rng(rows)
    numbers = random.integers(-(2**20), 2**20, rows)
    runs = np.concatenate([np.sort(each) for each in np.array_split(numbers, 7)])
    column = {
        "random": pa.array(numbers),
        "far apart": pa.array(random.integers(-(2**63), 2**63 - 1, rows)),
        "runs": pa.array(runs),
        "in order": pa.array(np.sort(numbers)),
        "with nulls": pa.array(numbers, mask=numbers % 7 == 0),
        "a slice": pa.array(np.concatenate((numbers, numbers))).slice(rows // 2, rows),
    }[kind]
    expected = pc.array_sort_indices(column, order="ascending", null_placement="at_start")
    assert sort_rows(column).tolist() == expected.to_pylist()


@given(st.lists(st.lists(st.integers(-3, 3)), max_size=20))
def test_rows_in_runs_are_merged_and_equal_ones_stay_in_order(runs: list[list[int]]) -> None:
    rows = [number for run in runs for number in sorted(run)]
    assert sort_rows(pa.array(rows, pa.int64())).tolist() == in_order(rows)


@given(st.data())
def test_keys_of_fixed_width_are_in_the_order_of_their_bytes_null_first(data: st.DataObject) -> None:
    """With keys that share their first eight bytes, some of them in long stretches among many that share none."""
    width = data.draw(st.integers(1, 12))
    begins = st.sampled_from([b"\0" * 8, b"same8byt"]) | st.binary(min_size=8, max_size=8)
    keys = [
        (data.draw(begins) + data.draw(st.binary(min_size=4, max_size=4)))[:width]
        for _ in range(data.draw(st.integers(1, 40)))
    ]
    nulls = data.draw(st.sets(st.integers(0, len(keys) - 1), max_size=2))
    values = [None if number in nulls else key for number, key in enumerate(keys)]
    assert sort_rows(pa.array(values, pa.binary(width))).tolist() == in_order(values)


def test_a_stretch_of_keys_that_begin_alike_is_sorted_whole() -> None:
    alike = [b"8 alike!" + bytes([ending]) for ending in (5, 4, 3, 2, 1)]
    others = [number.to_bytes(8) + b"." for number in range(40)]
    values = [*others[:20], *alike, *others[20:]]
    assert sort_rows(pa.array(values, pa.binary(9))).tolist() == in_order(values)
