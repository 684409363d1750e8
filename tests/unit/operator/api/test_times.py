import pytest

from podreduce_operator.api.times import parse_time, render_duration, render_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5.0, "0s"),
        (0.0, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60.0, "1m"),
        (61.0, "1m1s"),
        (3599.0, "59m59s"),
        (3600.0, "1h"),
        (3601.0, "1h"),
        (3660.0, "1h1m"),
        (86_399.0, "23h59m"),
        (86_400.0, "1d"),
        (90_000.0, "1d1h"),
        (86_400.0 * 400 + 59, "400d"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert render_duration(seconds) == text


def test_a_time_reads_back_and_anything_else_is_none() -> None:
    assert parse_time(render_time(1_000_000.0)) == 1_000_000.0
    assert [parse_time(each) for each in (None, 5, "soon", "")] == [None] * 4
