import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.wire import Wire, break_lines, encode_readable

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=200)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=40
)


class Note(Wire, frozen=True, kw_only=True):
    written_by: str
    lines: tuple[str, ...] = ()
    rows: tuple[dict[str, object], ...] = ()


@given(value=VALUES)
def test_lines_are_broken_without_changing_what_is_said(value: object) -> None:
    assert json.loads(break_lines(value, "")) == value


def test_fields_keep_their_order_and_what_is_short_its_line() -> None:
    note = Note(written_by="x" * 120, lines=("a", "b"))
    assert encode_readable(note).decode().splitlines() == [
        "{",
        f'  "writtenBy": "{"x" * 120}",',
        '  "lines": ["a","b"],',
        '  "rows": []',
        "}",
    ]


def test_long_lists_have_an_item_a_line() -> None:
    lines = encode_readable(Note(written_by="me", lines=("a" * 100, "b" * 100))).decode().splitlines()
    assert lines[2:6] == ['  "lines": [', f'    "{"a" * 100}",', f'    "{"b" * 100}"', "  ],"]


@pytest.mark.parametrize(("characters", "expected"), [(900, 1), (1100, 4)], ids=["a row", "too long a row"])
def test_a_row_of_plain_values_stays_on_one_line(characters: int, expected: int) -> None:
    text = encode_readable(Note(written_by="me", rows=({"a": 1, "b": "x" * characters},))).decode()
    assert len(text.partition('"rows": [\n')[2].rpartition("\n  ]")[0].splitlines()) == expected
