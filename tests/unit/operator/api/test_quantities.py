import pytest

from podreduce_operator.api.quantities import QuantityError, parse_bytes


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (1, 1),
        ("1", 1),
        ("10k", 10_000),
        ("64Mi", 67_108_864),
        ("1M", 1_000_000),
        ("2G", 2_000_000_000),
        ("1T", 10**12),
        ("1Ki", 1024),
        ("3Gi", 3 * 2**30),
        ("1Ti", 2**40),
    ],
)
def test_quantities_are_bytes(quantity: int | str, expected: int) -> None:
    assert parse_bytes(quantity) == expected


@pytest.mark.parametrize("quantity", ["", "Mi", "1.5Gi", "64MB", "-1", "1K", "1iM", "1 M", "²"])
def test_what_is_no_quantity_is_refused(quantity: str) -> None:
    with pytest.raises(QuantityError, match=r"expected a whole number"):
        parse_bytes(quantity)
