import pytest

from podreduce_operator.cli.run import InvalidFileError, read_memory


@pytest.mark.parametrize(
    ("size", "memory_bytes"),
    [(None, None), ("1", 1), ("512Mi", 512 * 2**20), ("2G", 2 * 10**9)],
    ids=["not-given", "bytes", "mebibytes", "gigabytes"],
)
def test_memory_is_a_quantity_as_in_a_pod(size: str | None, memory_bytes: int | None) -> None:
    assert read_memory(size) == memory_bytes


@pytest.mark.parametrize("size", ["", "much", "-1", "1.5Gi", "0", "0Mi"])
def test_what_is_no_memory_is_refused_by_the_options_name(size: str) -> None:
    with pytest.raises(InvalidFileError, match=r"^--memory: "):
        read_memory(size)
