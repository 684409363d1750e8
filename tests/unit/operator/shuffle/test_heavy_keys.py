"""Keys that hold much of the shuffled data are found over all maps, and no others."""

import random

import pytest

from podreduce.contract.task import CommitRecord, HeavyKey
from podreduce_operator.shuffle.heavy_keys import MAX_COUNTERS, KeyShare, Skew
from tests.support.builders.records import make_commit

MIB = 1 << 20


def make_heavy(sizes: dict[str, int], *, of: int, bucket: int = 3) -> CommitRecord:
    """A map whose heaviest keys have these MiB of `of`."""
    heavy = [
        HeavyKey(key=key, encoded=key.encode(), bucket=bucket, size_bytes=size * MIB, values=1)
        for key, size in sizes.items()
    ]
    return make_commit(heavy_keys=tuple(heavy), encoded_bytes=of * MIB)


def fold(*commits: CommitRecord) -> Skew:
    skew = Skew()
    for commit in commits:
        skew.add(commit)
    return skew


def test_shares_are_of_what_all_maps_shuffled() -> None:
    skew = fold(make_heavy({"the": 60, "of": 20}, of=100), make_heavy({"the": 20, "a": 30}, of=100))
    assert skew.heaviest() == (
        KeyShare(key="the", encoded=b"the", bucket=3, share=0.4),
        KeyShare(key="a", encoded=b"a", bucket=3, share=0.15),
        KeyShare(key="of", encoded=b"of", bucket=3, share=0.1),
    )


@pytest.mark.parametrize(("size", "shown"), [(9, False), (10, False), (11, True)], ids=["below", "at", "above"])
def test_keys_up_to_a_hundredth_are_not_shown(size: int, shown: bool) -> None:
    assert bool(fold(make_heavy({"the": size}, of=1000)).heaviest()) == shown


@pytest.mark.parametrize(("size", "shown"), [(1, False), (2, True)], ids=["a MiB", "more"])
def test_keys_up_to_a_mebibyte_are_not_shown(size: int, shown: bool) -> None:
    assert bool(fold(make_heavy({"the": size}, of=2)).heaviest()) == shown


def test_five_keys_are_shown() -> None:
    skew = fold(make_heavy({f"key{number}": 100 - number for number in range(8)}, of=1000))
    assert [heavy.key for heavy in skew.heaviest()] == [f"key{number}" for number in range(5)]


def test_nothing_shuffled_has_no_heavy_keys() -> None:
    assert fold(make_commit()).heaviest() == ()


def test_a_heavy_key_is_found_among_more_keys_than_are_counted() -> None:
    rng, skew = random.Random(2), Skew()  # noqa: S311 - a seeded case
    for _ in range(500):
        others = {f"key{rng.randrange(1 << 30)}": 10 for _ in range(15)}
        skew.add(make_heavy({"the": 25} | others, of=1000))
    (found,) = skew.heaviest()
    assert len(skew.counters) <= 2 * MAX_COUNTERS
    assert found.key == "the"
    assert 0.024 < found.share <= 0.025


@pytest.mark.parametrize("of", [0, 1])
def test_a_key_that_is_larger_than_everything_has_all_of_it(of: int) -> None:
    assert [each.share for each in fold(make_heavy({"the": 60}, of=of)).heaviest()] == [1.0]
