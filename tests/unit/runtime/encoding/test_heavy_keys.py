"""The heaviest keys of a blob are found exactly, however their values lie in frames."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import HeavyKey
from podreduce.encoding.codec import encode_key
from podreduce.encoding.heavy_keys import MAX_KEYS, HeavyKeys
from podreduce.encoding.key_range import MAX_CUT_BYTES
from podreduce.encoding.keys import key_prefix

Group = tuple[bytes, int, int]


def find_heaviest(frames: list[list[Group]], key_elements: int | None = None) -> HeavyKeys:
    found = HeavyKeys(key_elements=key_elements)
    for frame in frames:
        keys, counts, sizes = zip(*frame, strict=True)
        found.add_frame(0, keys, counts, sizes)
    return found


GROUPS = st.lists(
    st.tuples(st.integers(0, 40).map(encode_key), st.integers(1, 5), st.integers(0, 200)), min_size=1, max_size=200
)


@given(GROUPS, st.integers(1, 50))
def test_they_are_those_of_a_count_of_all(groups: list[Group], frame_groups: int) -> None:
    groups.sort(key=lambda group: group[0])
    frames = [groups[start : start + frame_groups] for start in range(0, len(groups), frame_groups)]
    found = find_heaviest(frames)
    size_bytes, values = Counter[bytes](), Counter[bytes]()
    for key, count, size in groups:
        size_bytes[key] += len(key) + size
        values[key] += count
    heaviest = found.heaviest()
    assert [each.size_bytes for each in heaviest] == sorted(size_bytes.values(), reverse=True)[:MAX_KEYS]
    assert all((each.size_bytes, each.values) == (size_bytes[each.encoded], values[each.encoded]) for each in heaviest)
    assert found.encoded_bytes == sum(size_bytes.values())


@pytest.mark.parametrize("key_elements", [None, 1])
@pytest.mark.parametrize("frame_groups", [1, 2, 3, 10, 100, 2000])
def test_heavy_keys_of_many_light_groups_are_found_after_others_that_are_heavy(
    frame_groups: int, key_elements: int | None
) -> None:
    chance = random.Random(frame_groups)  # noqa: S311 - no secret
    groups = [
        (encode_key((number // 9, chance.randrange(2))), chance.randint(1, 5), chance.choice([0, 3, 3, 40]))
        for number in range(1000)
    ]
    groups[:20] = [(encode_key((-number, 0)), 1, 100) for number in range(20, 0, -1)]
    groups.sort(key=lambda group: group[0])
    frames = [groups[start : start + frame_groups] for start in range(0, len(groups), frame_groups)]
    size_bytes, values = Counter[bytes](), Counter[bytes]()
    for key, count, size in groups:
        counted = key if key_elements is None else key_prefix(key, key_elements)
        size_bytes[counted] += len(key) + size
        values[counted] += count
    heaviest = find_heaviest(frames, key_elements).heaviest()
    assert [each.size_bytes for each in heaviest] == sorted(size_bytes.values(), reverse=True)[:MAX_KEYS]
    assert all((each.size_bytes, each.values) == (size_bytes[each.encoded], values[each.encoded]) for each in heaviest)


def test_tuples_with_a_first_element_in_common_count_as_one() -> None:
    found = HeavyKeys(key_elements=1)
    keys = [encode_key(key) for key in ("lone", ("a", 1), ("a", 2), ("b", 1))]
    found.add_frame(0, keys, [1, 2, 3, 4], [10, 10, 10, 10])
    heaviest = [
        (each.key, each.size_bytes - 10 * number, each.values)
        for each, number in zip(found.heaviest(), (2, 1, 1), strict=True)
    ]
    assert heaviest == [("('a',)", 2 * len(keys[1]), 5), ("('b',)", len(keys[3]), 4), ("lone", len(keys[0]), 1)]
    assert found.encoded_bytes == sum(map(len, keys)) + 40


def test_a_key_of_two_buckets_is_two() -> None:
    found = HeavyKeys()
    found.add_frame(0, [b"\x05a"], [1], [10])
    found.add_frame(1, [b"\x05a"], [2], [20])
    assert found.heaviest() == (
        HeavyKey(key="a", encoded=b"\x05a", bucket=1, size_bytes=22, values=2),
        HeavyKey(key="a", encoded=b"\x05a", bucket=0, size_bytes=12, values=1),
    )


def test_of_keys_of_one_weight_the_first_is_named_first() -> None:
    found = HeavyKeys()
    found.add_frame(0, [encode_key("b")], [1], [10])
    found.add_frame(1, [encode_key("a"), encode_key("b")], [1, 2], [10, 10])
    assert [(each.bucket, each.key) for each in found.heaviest()] == [(0, "b"), (1, "a"), (1, "b")]


def test_the_lightest_key_counts_and_so_does_one_of_just_a_thousandth() -> None:
    (only,) = find_heaviest([[(encode_key(None), 1, 0)]]).heaviest()
    assert (only.key, only.size_bytes) == ("None", 1)
    light, heavy = encode_key("light"), encode_key("heavy")
    found = find_heaviest([[(light, 1, 10 - len(light)), (heavy, 1, 9990 - len(heavy))]])
    assert [each.key for each in found.heaviest()] == ["heavy", "light"]


def test_keys_below_a_thousandth_are_left_out() -> None:
    light = [(encode_key(number), 1, 0) for number in range(2000)]
    assert find_heaviest([[*light, (encode_key("x"), 9, 5000)]]).heaviest() == (
        HeavyKey(key="x", encoded=encode_key("x"), bucket=0, size_bytes=5002, values=9),
    )


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("the", "the"),
        ("a\tb", "'a\\tb'"),
        (7, "7"),
        (("a", 1), "('a', 1)"),
        (None, "None"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        (("x" * 500,), "('" + "x" * 97 + "…"),
    ],
    ids=["str", "unprintable", "int", "tuple", "None", "as long as may be", "longer", "a long tuple"],
)
def test_a_key_is_shown_as_text(key: object, shown: str) -> None:
    (heaviest,) = find_heaviest([[(encode_key(key), 1, 1)]]).heaviest()
    assert heaviest.key == shown


def test_of_a_long_key_the_first_bytes_are_kept() -> None:
    (heaviest,) = find_heaviest([[(encode_key("x" * 5000), 1, 1)]]).heaviest()
    assert heaviest.encoded == encode_key("x" * 5000)[:MAX_CUT_BYTES]


def test_nothing_has_no_heaviest() -> None:
    assert HeavyKeys().heaviest() == ()
