"""The parameters of a scheduled job: its scheduled time, written as its author asks for. Rule: pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from podreduce_operator.api.schedule_spec import ScheduledParameter

__all__ = ["parameters_at"]

OFFSET = re.compile(r"(?P<count>-?[0-9]+)(?P<unit>[mhd])")
SECONDS = {"m": 60, "h": 3600}


def parameters_at(parameters: Sequence[ScheduledParameter], zone: ZoneInfo, scheduled_at: float) -> dict[str, str]:
    """Return the values of the parameters for a scheduled time.

    Args:
        parameters: how each is written. Their offsets have the pattern that the CRD asks for.
        zone: the schedule's time zone.
        scheduled_at: seconds since the epoch.
    """
    return {each.name: move(scheduled_at, each.offset, zone).strftime(each.format) for each in parameters}


def move(scheduled_at: float, offset: str, zone: ZoneInfo) -> datetime:
    """Return a time moved by an offset: days by the calendar, on the same wall clock; hours and minutes exactly."""
    found = OFFSET.fullmatch(offset)
    if found is None:
        raise ValueError(f"the offset {offset!r} is not a number of minutes, hours or days, such as -1d")
    count, unit = int(found["count"]), found["unit"]
    if unit == "d":
        return datetime.fromtimestamp(scheduled_at, zone) + timedelta(days=count)
    return datetime.fromtimestamp(scheduled_at + count * SECONDS[unit], zone)
