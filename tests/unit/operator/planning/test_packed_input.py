import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.planning.packed_input import InputListing, InputObject

objects = st.builds(
    InputObject,
    uri=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12),
    size_bytes=st.integers(min_value=0, max_value=2**63),
    etag=st.none() | st.sampled_from(["", '"abc"']),
    is_splittable=st.booleans(),
)


@given(found=st.lists(objects, max_size=8))
def test_a_listing_is_the_sequence_of_what_was_put_in(found: list[InputObject]) -> None:
    listing = InputListing(found)
    assert (list(listing), len(listing)) == (found, len(found))
    assert (listing[1:], list(reversed(listing))) == (found[1:], found[::-1])


@pytest.mark.parametrize("index", [3, -4])
def test_what_was_not_put_in_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        InputListing([InputObject(uri="a", size_bytes=1)] * 3)[index]


def test_an_object_takes_little_more_than_its_name_and_version() -> None:
    names = [f"s3://bucket/prefix/part-{number:06}" for number in range(20_000)]
    tracemalloc.start()
    listing = InputListing(InputObject(uri=name, size_bytes=1, etag="0123456789abcdef") for name in names)
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes / len(listing) < len(names[0]) + 16 + 40
