"""Cron expressions in a time zone: the last time that was due, and the next one.

cronsim finds the matching times on a wall clock. Here they become real times, by the rule of Debian's cron. If minute
and hour are both lists of numbers, a time that a clock change skips runs once, at the end of the gap, and one that it
repeats runs only the first time. If one of the two begins with `*`, every real minute that matches runs. (cronsim's own
handling of time zones misses times after a change by half an hour.)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from podreduce.contract.texts import render_count

__all__ = ["Cron", "CronError", "parse_cron"]

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = 5
LARGEST_CHANGE = 26 * 3600
"""Seconds: more than any clock was ever set back or forward at once. Samoa left out a day in 2011."""
MINUTE = 60


class CronError(ValueError):
    """A schedule or a time zone is not valid. The message says what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A valid expression of five fields, and its time zone."""

    expression: str
    zone: ZoneInfo

    def latest(self, after: float, until: float) -> float | None:
        """Return the last matching time in (after, until]; None if there is none.

        The search steps back from `until`. So it is short, however long ago `after` is.
        """
        best: float | None = None
        end = -math.inf
        for wall in self._walls(until + self._offset(until) + self._change_near(until) + MINUTE, back=True):
            if seconds_of(wall) < end:
                break
            due = max((at for at in self._real_times(wall) if at <= until), default=None)
            if due is not None and (best is None or due > best):
                best, end = due, due + self._offset(due) - self._change_near(due)
        return best if best is not None and best > after else None

    def next(self, after: float) -> float | None:
        """Return the first matching time after `after`; None if there is none within 50 years."""
        best: float | None = None
        end = math.inf
        for wall in self._walls(after + self._offset(after) - self._change_near(after) - MINUTE, back=False):
            if seconds_of(wall) > end:
                break
            due = min((at for at in self._real_times(wall) if at > after), default=None)
            if due is not None and (best is None or due < best):
                best, end = due, due + self._offset(due) + self._change_near(due)
        return best

    def _walls(self, start: float, *, back: bool) -> Iterator[datetime]:
        """Yield the matching times of a wall clock, without a zone, from `start` on (seconds, as if in UTC)."""
        begin = datetime.fromtimestamp(int(start), UTC).replace(tzinfo=None)
        yield from CronSim(self.expression, begin, reverse=back)

    def _real_times(self, wall: datetime) -> list[float]:
        """Return when a time of the wall clock runs: in general once."""
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).timestamp() for fold in (0, 1))
        if first == second:
            return [first]
        is_skipped = first > second
        if self._is_fixed:
            return [self._gap_end(second, first) if is_skipped else first]
        return [] if is_skipped else [first, second]

    @property
    def _is_fixed(self) -> bool:
        """Whether minute and hour are both lists of numbers."""
        return not any(field.startswith("*") for field in self.expression.split()[:2])

    def _gap_end(self, before: float, after: float) -> float:
        """Return the time between the two at which the clock is set forward, by halving."""
        offset = self._offset(before)
        while after - before > MINUTE:
            middle = (before + after) // (2 * MINUTE) * MINUTE
            before, after = (middle, after) if self._offset(middle) == offset else (before, middle)
        return after

    def _change_near(self, at: float) -> float:
        """Return by how many seconds the clock is changed near a time: 0 on most days."""
        offsets = [self._offset(at + distance) for distance in (-LARGEST_CHANGE, 0, LARGEST_CHANGE)]
        return max(offsets) - min(offsets)

    def _offset(self, at: float) -> float:
        shown = datetime.fromtimestamp(int(at), self.zone).replace(tzinfo=UTC)
        return shown.timestamp() - int(at)


def seconds_of(wall: datetime) -> float:
    """Return the seconds of a time of the wall clock, as if it were in UTC."""
    return wall.replace(tzinfo=UTC).timestamp()


def parse_cron(schedule: str, time_zone: str) -> Cron:
    """Return the schedule in the time zone.

    Args:
        schedule: five fields as cron has them (minute, hour, day of the month, month, day of the week), or `@hourly`,
            `@daily`, `@weekly`, `@monthly`, `@yearly`.
        time_zone: a name of the IANA time zone database.

    Raises:
        CronError: one of the two is not valid.
    """
    zone = find_zone(time_zone)
    expression = MACROS.get(schedule.strip(), schedule)
    if len(expression.split()) != FIELDS:
        raise CronError(explain(schedule, f"it has {render_count(len(expression.split()), 'field')}"))
    try:
        CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise CronError(explain(schedule, lower_first(str(error)))) from error
    return Cron(expression=expression, zone=zone)


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone with this name.

    Raises:
        CronError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CronError(
            f"there is no time zone {name!r}: use a name of the IANA database, such as Etc/UTC or Europe/Berlin"
        ) from error


def explain(schedule: str, why: str) -> str:
    """Return which schedule is not valid, why, and what is."""
    return (
        f"the schedule {schedule!r} is not valid: {why}; write minute, hour, day of month, month and day of week, such "
        'as "30 2 * * *", or @hourly, @daily, @weekly, @monthly or @yearly'
    )


def lower_first(text: str) -> str:
    """Return the text with its first letter in lower case."""
    return text[:1].lower() + text[1:]
