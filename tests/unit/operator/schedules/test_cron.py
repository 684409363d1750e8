"""Cron times against a scan of every minute of forty years, in zones whose clocks change in odd ways."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from podreduce_operator.schedules.cron import CronError, parse_cron

FIRST_YEAR, LAST_YEAR = 2000, 2039
ZONES = [
    "Europe/Berlin",  # one hour, twice a year
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # left out 30 December 2011
    "Africa/Casablanca",  # around Ramadan
]
EXPRESSIONS = [
    "30 2 * * *",
    "*/15 * * * *",
    "5 */2 * * *",
    "15,45 0-3 * * SUN",
    "10 23 28-31 FEB-JUN *",
    "59 23 */10 * 1-5/2",
]
MINUTE, DAY = 60, 86_400
Seconds = NDArray[np.int64]


def field_values(text: str, low: int, high: int, names: str = "") -> set[int]:
    """The values that a field of an expression names, read anew."""
    for number, name in enumerate(names.split(), low):
        text = text.replace(name, str(number))
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        end = int(last) if last else high if step else int(first)
        found.update(range(int(first), end + 1, int(step or 1)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What a wall clock shows, minute by minute: days since 1970, and minutes of the day."""

    day: NDArray[np.int32]
    minute: NDArray[np.int16]

    @classmethod
    def at(cls, seconds: Seconds) -> Self:
        minutes = seconds // MINUTE
        day = minutes // 1440
        return cls(day=day.astype(np.int32), minute=(minutes - day * 1440).astype(np.int16))

    def matches(self, expression: str) -> NDArray[np.bool_]:
        """Which of the times an expression names."""
        minute, hour, day, month, weekday = expression.split()
        minutes = np.zeros(1440, bool)
        for each in field_values(hour, 0, 23):
            minutes[[each * 60 + number for number in field_values(minute, 0, 59)]] = True
        days = np.arange(self.day.min(), self.day.max() + 1)
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        in_month = np.isin(months.astype(int) % 12 + 1, list(field_values(month, 1, 12, MONTHS)))
        of_month = np.isin((dates - months).astype(int) + 1, list(field_values(day, 1, 31)))
        of_week = np.isin((days + 4) % 7, [each % 7 for each in field_values(weekday, 0, 7, WEEKDAYS)])
        both = day.startswith("*") or weekday.startswith("*")
        day_matches = in_month & (of_month & of_week if both else of_month | of_week)
        result: NDArray[np.bool_] = day_matches[self.day - days[0]] & minutes[self.minute]
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """All minutes of a year (UTC) in a zone.

    Attributes:
        start: of the year, in seconds since the epoch.
        is_first: whether the wall clock has not shown this time before.
        gaps: the end of each gap, and what the wall clock leaves out there.
    """

    start: int
    wall: Wall
    is_first: NDArray[np.bool_]
    gaps: list[tuple[int, Wall]]


MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
WEEKDAYS = "SUN MON TUE WED THU FRI SAT"


def offset_at(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def find_changes(zone: ZoneInfo, start: int, end: int) -> Iterator[int]:
    """The minutes at which the zone's offset changes."""
    step = 6 * 3600
    for low in range(start, end, step):
        before, after = low, low + step
        if offset_at(zone, before) == offset_at(zone, after):
            continue
        while after - before > MINUTE:
            middle = (before + after) // 2 // MINUTE * MINUTE
            before, after = (middle, after) if offset_at(zone, middle) == offset_at(zone, low) else (before, middle)
        yield after


@lru_cache(maxsize=1)
def minutes_of(zone_name: str) -> tuple[list[Year], list[int]]:
    """All minutes of forty years; and those at which the offset changes."""
    zone = ZoneInfo(zone_name)
    bounds = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in range(FIRST_YEAR, LAST_YEAR + 2)]
    changes = list(find_changes(zone, bounds[0], bounds[-1]))
    starts = np.array([bounds[0], *changes])
    offsets = np.array([offset_at(zone, int(start)) for start in starts])
    years = []
    for low, high in itertools.pairwise(bounds):
        real = np.arange(low, high, MINUTE)
        shown = real + offsets[np.searchsorted(starts, real, "right") - 1]
        gap_starts = np.flatnonzero(np.diff(shown) > MINUTE)
        gaps = [(int(real[at + 1]), Wall.at(np.arange(shown[at] + MINUTE, shown[at + 1], MINUTE))) for at in gap_starts]
        is_first = np.concatenate([[True], shown[1:] > np.maximum.accumulate(shown)[:-1]])
        years.append(Year(start=low, wall=Wall.at(shown), is_first=is_first, gaps=gaps))
    return years, changes


def scan(expression: str, zone: str) -> Seconds:
    """All times of an expression in forty years: each minute is looked at."""
    is_fixed = not any(field.startswith("*") for field in expression.split()[:2])
    found: list[Seconds] = []
    for year in minutes_of(zone)[0]:
        matching = year.wall.matches(expression)
        times = year.start + MINUTE * np.flatnonzero(matching & year.is_first if is_fixed else matching)
        skipped = [end for end, wall in year.gaps if is_fixed and wall.matches(expression).any()]
        found.append(np.union1d(times, np.array(skipped, np.int64)))
    return np.concatenate(found)


def moments(zone: str, count: int) -> list[int]:
    """Random moments, half of them near a change of the clock."""
    chance = random.Random(zone)  # noqa: S311 - a test's choice
    years, changes = minutes_of(zone)
    low, high = years[5].start, years[-5].start
    near = [at for at in changes if low < at < high]
    around = [chance.choice(near) + chance.randrange(-90_000, 90_000) for _ in range(count // 4)]
    right_at = [chance.choice(near) + chance.choice([-1, 0, 1, 1799, 1800, 3599, 3600]) for _ in range(count // 4)]
    return [chance.randrange(low, high) for _ in range(count // 2)] + around + right_at


@pytest.mark.parametrize("zone", ZONES)
def test_the_last_and_the_next_time_are_those_of_a_scan_of_every_minute(zone: str) -> None:
    for expression in EXPRESSIONS:
        cron, expected = parse_cron(expression, zone), scan(expression, zone)
        for now in moments(zone, 40):
            at = int(np.searchsorted(expected, now, "right"))
            assert cron.latest(0, now) == expected[at - 1], (expression, now)
            assert cron.next(now) == expected[at], (expression, now)
            assert cron.latest(float(expected[at - 1]), now) is None


@pytest.mark.parametrize(
    ("macro", "expression"),
    [("@yearly", "0 0 1 1 *"), ("@monthly", "0 0 1 * *"), ("@weekly", "0 0 * * 0"), ("@daily", "0 0 * * *"),
     ("@hourly", "0 * * * *")],
)  # fmt: skip
def test_a_macro_stands_for_its_expression(macro: str, expression: str) -> None:
    assert parse_cron(macro, "Etc/UTC") == parse_cron(expression, "Etc/UTC")


@pytest.mark.parametrize(
    ("schedule", "zone", "told"),
    [
        ("* * * *", "Etc/UTC", "it has 4 fields"),
        ("0 30 2 * * *", "Etc/UTC", "it has 6 fields"),
        ("@every 5m", "Etc/UTC", "it has 2 fields"),
        ("", "Etc/UTC", "it has 0 fields"),
        ("61 * * * *", "Etc/UTC", "bad minute"),
        ("* 24 * * *", "Etc/UTC", "bad hour"),
        ("* * 0 * *", "Etc/UTC", "bad day-of-month"),
        ("0 0 30 2 *", "Etc/UTC", "bad day-of-month"),
        ("* * * FOO *", "Etc/UTC", "bad month"),
        ("* * * * 8", "Etc/UTC", "bad day-of-week"),
        ("TZ=UTC * * * *", "Etc/UTC", "bad minute"),
        ("0 2 * * *", "Europe/Atlantis", "there is no time zone 'Europe/Atlantis'"),
        ("0 2 * * *", "", "there is no time zone ''"),
        ("0 2 * * *", "../etc/passwd", "there is no time zone"),
        ("0 2 * * *", "Europe", "there is no time zone 'Europe'"),
    ],
)
def test_what_is_not_valid_is_refused_in_words(schedule: str, zone: str, told: str) -> None:
    with pytest.raises(CronError, match=r"use a name|write minute") as caught:
        parse_cron(schedule, zone)
    assert told in str(caught.value)


def test_a_year_of_downtime_is_one_step_back() -> None:
    cron = parse_cron("* * * * *", "Europe/Berlin")
    year = 366 * DAY
    assert cron.latest(1_700_000_000, 1_700_000_000 + year) == (1_700_000_000 + year) // MINUTE * MINUTE
