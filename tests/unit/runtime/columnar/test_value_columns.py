from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from podreduce.columnar.value_columns import build_column, captured, find_type, plain_types
from podreduce.encoding.unwritable import UnwritableError


@pytest.mark.parametrize("items", [0, 1, 2, 50])
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_plain_values_counts_as_many_bytes_as_one_of_others(kind: type, items: int) -> None:
    plain, others = kind(range(items)), kind(date(2024, 1, 1 + number % 30) for number in range(items))
    assert captured(plain) == (plain, captured(others)[1])
    assert captured(plain)[1] > captured(kind())[1] * items / 2


@pytest.mark.parametrize(
    "value", [0, "text", b"bytes", None, [], (), [[]], {"a": {}}, datetime(2024, 1, 1, tzinfo=UTC)]
)
def test_each_value_counts(value: Any) -> None:
    assert captured([value])[1] > captured(value)[1] >= 0
    assert captured([value, value])[1] >= captured([value])[1]


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        (["1" * 38], pa.decimal128(38, 0)),
        (["1" * 39], pa.decimal256(76, 0)),
        (["1" * 76], pa.decimal256(76, 0)),
        (["0." + "1" * 38], pa.decimal128(38, 38)),
        (["0." + "1" * 39], pa.decimal256(76, 39)),
        (["0." + "1" * 76], pa.decimal256(76, 76)),
        (["1" * 30, "0." + "1" * 8], pa.decimal128(38, 8)),
        (["1" * 31, "0." + "1" * 8], pa.decimal256(76, 8)),
        (["0E+37"], pa.decimal128(38, 0)),
        (["0E+75", "1"], pa.decimal256(76, 0)),
        (["0E-3", "5"], pa.decimal128(38, 3)),
    ],
)
def test_decimals_have_the_smallest_type_with_their_digits(numbers: list[str], kind: pa.DataType) -> None:
    values = [Decimal(number) for number in numbers]
    assert find_type(values) == kind
    assert build_column(values, kind).to_pylist() == values


@pytest.mark.parametrize(
    "numbers", [["1" * 77], ["0." + "1" * 77], ["1" * 70, "0." + "1" * 7], ["1E+76"], ["0E+76"], ["0E-77"]]
)
def test_decimals_of_more_than_76_digits_are_refused(numbers: list[str]) -> None:
    with pytest.raises(UnwritableError, match="at most 76 digits"):
        find_type([Decimal(number) for number in numbers])


@pytest.mark.parametrize("kind", [*plain_types().values(), pa.decimal128(38, 2), pa.list_(pa.int64())], ids=str)
def test_none_goes_into_a_column_of_any_type(kind: pa.DataType) -> None:
    assert build_column([None, None], kind).to_pylist() == [None, None]
    assert build_column([], kind).to_pylist() == []


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_an_int_of_more_than_64_bits_is_refused(number: int) -> None:
    inside = number - 1 if number > 0 else number + 1
    assert build_column([inside, None, 0], pa.int64()).to_pylist() == [inside, None, 0]
    with pytest.raises(UnwritableError, match="more than 64 bits"):
        build_column([0, None, number], pa.int64())


def test_ints_among_floats_are_exact_or_refused() -> None:
    assert build_column([2.0**60, 2**53, -(2**53), None], pa.float64()).to_pylist() == [
        2.0**60,
        2.0**53,
        -(2.0**53),
        None,
    ]
    for number in (2**53 + 1, -(2**53) - 1):
        with pytest.raises(UnwritableError, match=r"over 2\*\*53 among floats"):
            build_column([0.5, number], pa.float64())
