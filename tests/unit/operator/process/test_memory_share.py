import pytest

from podreduce_operator.process.memory_share import SHARE, record_bytes

GIB = 1 << 30


@pytest.mark.parametrize(
    ("limits", "expected"),
    [([], GIB), ([4 * GIB], 4 * GIB), ([4 * GIB, 2 * GIB], 2 * GIB), ([9223372036854771712], GIB)],
    ids=["none", "one", "the lowest of two", "cgroup v1 without a limit"],
)
def test_records_take_a_share_of_the_containers_memory(limits: list[int], expected: int) -> None:
    assert record_bytes(limits) == expected * SHARE
