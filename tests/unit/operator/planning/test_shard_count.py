import pytest

from podreduce_operator.planning.shard_count import MAX_SHARDS, count_shards

MIB = 1 << 20


@pytest.mark.parametrize(
    ("total_mib", "parallelism", "shards"),
    [
        pytest.param(0, None, 1, id="no-bytes"),
        pytest.param(128, None, 1, id="one-full-shard"),
        pytest.param(129, None, 2, id="a-little-more"),
        pytest.param(770, None, 7, id="slots-unknown"),
        pytest.param(900, 2, 8, id="waves-are-filled"),
        pytest.param(768, 2, 6, id="waves-are-full"),
        pytest.param(770, 2, 6, id="a-little-more-than-full-waves"),
        pytest.param(383, 2, 2, id="shards-up-to-half-as-large-again"),
        pytest.param(384, 2, 4, id="shards-down-to-three-quarters"),
        pytest.param(960, 5, 10, id="two-waves"),
        pytest.param(100, 4, 4, id="spread-over-idle-slots"),
        pytest.param(100, 40, 6, id="not-below-16-MiB"),
        pytest.param(1, 8, 1, id="too-small-to-spread"),
        pytest.param(0, 8, 1, id="nothing-to-spread"),
        pytest.param(256, 1, 2, id="one-slot"),
    ],
)
def test_shards_fill_the_slots(total_mib: int, parallelism: int | None, shards: int) -> None:
    assert count_shards(total_mib * MIB, parallelism=parallelism) == shards


def test_the_size_the_user_set_is_kept_whatever_the_slots() -> None:
    assert count_shards(100 * MIB, shard_bytes=30 * MIB, parallelism=3) == 4


@pytest.mark.parametrize("parallelism", [None, 7])
def test_there_are_never_more_shards_than_the_resource_allows(parallelism: int | None) -> None:
    assert count_shards(10 * MAX_SHARDS * 128 * MIB, parallelism=parallelism) == MAX_SHARDS
