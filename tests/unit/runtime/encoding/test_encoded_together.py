"""Many keys and values encoded at once, and parts of keys: the same bytes as each of them for itself."""

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.encoding.codec import (
    FORM_BYTE,
    LIST_MARK,
    SCALARS,
    Encoded,
    capture,
    decode_list,
    encode_joined,
    encode_key,
    encode_keys,
    encode_list,
    encode_value,
    encode_values,
    restore,
)
from podreduce.encoding.keys import complete_prefix, key_prefix
from tests.unit.runtime.encoding.test_codec import KEYS, NUMBERS, TEXTS, VALUES, nest, shape


@given(st.lists(KEYS, max_size=4).map(tuple), st.integers(0, 5))
@example((((), (1, (2,))), "a\x00", 3), 1)
@example((2**1024 + 256**126, -(2**1024) - 256**126, "next"), 1)
@example((2**1024 + 256**126, -(2**1024) - 256**126, "next"), 2)
@example((-(2**70) - 1, b"\x00\xff", "next"), 2)
def test_the_first_elements_of_a_tuple_are_cut_from_its_encoding(key: tuple[Any, ...], elements: int) -> None:
    prefix = key_prefix(encode_key(key), elements)
    assert encode_key(key).startswith(prefix)
    assert complete_prefix(prefix) == encode_key(key[:elements])


@given(st.lists(KEYS, max_size=4))
@example(["a", "\ud800"])
@example([1, "a"])
def test_many_keys_are_encoded_as_each_of_them(keys: list[Any]) -> None:
    assert encode_keys(keys) == [encode_key(key) for key in keys]


@given(st.lists(VALUES, max_size=4))
@example([[1], (1, "a"), (1, [2]), 5])
@example([Decimal(1), [Decimal(2)]])
def test_captured_values_are_what_was_captured_and_encode_as_it_did(values: list[Any]) -> None:
    captured = list(map(capture, values))
    assert [type(each) is Encoded for each in captured] == [not is_fixed(value) for value in values]
    assert all(each is value for each, value in zip(captured, values, strict=True) if is_fixed(value))
    assert shape(restore(captured)) == shape(values)
    assert encode_values(captured) == b"".join(map(encode_value, values))


def is_fixed(value: Any) -> bool:
    """Nobody can change it: a scalar that marshal can write, or a tuple of these."""
    return type(value) in SCALARS or (type(value) is tuple and all(type(each) in SCALARS for each in value))


@given(st.lists(VALUES, max_size=4))
@example([])
@example([1, [2, {"a": None}]])
@example([[Decimal(2)]])
def test_values_are_encoded_together_if_each_could_be(values: list[Any]) -> None:
    together = encode_joined(values)
    assert (together is None) == any(encode_value(value)[0] == FORM_BYTE for value in values)
    assert together in (None, b"".join(map(encode_value, values)))


def test_values_that_cannot_be_encoded_are_not_encoded_together() -> None:
    assert encode_joined([nest(201, lambda value: [value])]) is None
    assert encode_joined([1, {1}]) is None


@given(st.lists(st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=8)), max_size=8))
def test_a_list_of_scalars_comes_back_and_has_its_mark(values: list[Any]) -> None:
    data = encode_list(values)
    assert data.startswith(LIST_MARK)
    assert shape(decode_list(data)) == shape(decode_list(memoryview(data))) == shape(values)


def test_what_occurs_many_times_in_a_list_is_stored_once_and_read_as_one_object() -> None:
    data = encode_list(["word" * 100] * 50)
    assert len(data) < 1000
    assert len({id(value) for value in decode_list(data)}) == 1
