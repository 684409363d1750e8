from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from podreduce_operator.api.schedule_spec import ScheduledParameter
from podreduce_operator.schedules.scheduled_parameters import parameters_at

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "written", "offset", "expected"),
    [
        ("2026-05-01T02:30", "%Y-%m-%d", "0m", "2026-05-01"),
        ("2026-05-01T02:30", "%Y-%m-%d", "-1d", "2026-04-30"),
        ("2026-03-30T02:30", "%Y-%m-%d %H:%M", "-1d", "2026-03-29 02:30"),
        ("2026-03-30T00:30", "%d %H:%M", "-24h", "28 23:30"),
        ("2026-10-26T02:30", "%d %H:%M", "-1d", "25 02:30"),
        ("2026-03-29T03:00", "%H:%M", "-1h", "01:00"),
        ("2026-01-01T00:00", "%Y/%m", "-31d", "2025/12"),
        ("2026-01-01T00:10", "%H:%M %z", "-15m", "23:55 +0100"),
        ("2026-01-01T00:10", "100%%", "90m", "100%"),
    ],
)
def test_a_parameter_is_the_scheduled_time_in_the_zone_of_the_schedule(
    at: str, written: str, offset: str, expected: str
) -> None:
    scheduled_at = datetime.fromisoformat(at).replace(tzinfo=BERLIN).timestamp()
    parameter = ScheduledParameter(name="day", format=written, offset=offset)
    assert parameters_at([parameter], BERLIN, scheduled_at) == {"day": expected}
