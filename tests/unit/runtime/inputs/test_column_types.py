"""Types of columns as they are written: any type is read back, what is none is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.plan import InputColumn
from podreduce.inputs.column_types import ColumnType, parse_columns, parse_type

TYPES = st.recursive(
    st.sampled_from(["boolean", "int64", "double", "string", "json", "null"]).map(ColumnType),
    lambda inner: st.one_of(
        inner.map(lambda item: ColumnType("list", item=item)),
        st.dictionaries(st.text(max_size=4), inner, max_size=3).map(
            lambda fields: ColumnType("struct", fields=tuple(fields.items()))
        ),
    ),
    max_leaves=8,
)


@given(TYPES)
def test_a_type_is_read_as_it_was_written(found: ColumnType) -> None:
    assert parse_type(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 0: expected boolean"),
        ("text", "at character 0: expected boolean"),
        ("int64 int64", "at character 5: expected the end"),
        ("list", "at character 4: expected '<'"),
        ("list<int64", "expected '>'"),
        ("struct<a int64>", "expected ':'"),
        ("struct<a: int64; b: int64>", "at character 15"),
        ("struct<a: int64, a: string>", "names the field 'a' twice"),
        ("struct<: int64>", "expected a field's name"),
        ("struct<a: int64", "expected ',' or '>'"),
        ("struct<", "expected a field's name"),
        ('struct<"a: int64>', "at character 7"),
        ("list<" * 40 + "int64" + ">" * 40, "nests deeper than 16"),
    ],
)
def test_what_is_no_type_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_type(text)


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two columns are named 'a'"):
        parse_columns([InputColumn(name="a", type="int64")] * 2)
