"""The step `clean`: events become one row a user, with the items, and when each was chosen first.

The first time counts, because an item that the user has already is nothing to predict. An event that cannot be used is
counted by its reason, not dropped in silence: rows without a user carry these counts (`items` are the reasons, `events`
the numbers).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.recommendation.baseline import LARGEST_RATING
from podreduce_apps.recommendation.lists import Ints, build_lists

__all__ = ["Clean", "read_ratings", "read_times"]

SECONDS_OF_AN_HOUR = 3600
MOST_DIGITS = 11
"""A number with more is no time in seconds."""
SETS = {"train": 0, "test": 1}
COLUMNS = ("user", "item", "time", "event", "set", "value")
PLURALS = {"item": "items", "time": "times", "event": "events", "set": "sets", "value": "values"}


class Clean:
    """Checks events, merges those of one user and item, and leaves out robots.

    Parameters: `types` (those of the events that count), `maxEventsPerHour` and `maxEventsPerUser` (a user with more is
    a robot). Columns in: user, item, and where there are such: type, time, set, value.
    """

    key_columns = ("user", "item")

    def setup(self, context: JobContext) -> None:
        """Read the parameters."""
        names = context.parameters["types"].split(",")
        self.types = pa.array([*map(str.strip, names), ""], pa.string())
        self.per_hour = read_whole(context.parameters, "maxEventsPerHour", least=1)
        self.per_user = read_whole(context.parameters, "maxEventsPerUser", least=1)
        self.is_given = context.parameters["split"] == "given"
        self.last_user: str | None = None
        self.last_is_robot = False

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Keep the columns that count, typed, and count what cannot be used by its reason."""
        columns = {name: optional_column(batch, name) for name in ("user", "item", "type", "time", "set", "value")}
        time = read_times(columns["time"])
        reasons = {
            "no user": pc.equal(columns["user"], ""),
            "no item": pc.equal(columns["item"], ""),
            "another type": pc.invert(pc.is_in(columns["type"], value_set=self.types)),
            "time not readable": pc.is_null(time),
        }
        parts = pc.index_in(columns["set"], value_set=pa.array(SETS))
        if self.is_given:
            reasons["neither train nor test"] = pc.is_null(parts)
        rejected, usable = count_reasons(reasons, batch.num_rows)
        sets = pc.fill_null(parts, -1).cast(pa.int64())
        arrays = [columns["user"], columns["item"], time, np.ones(batch.num_rows, np.int64), sets]
        arrays.append(read_ratings(columns["value"]))
        events = pa.table(arrays, names=list(COLUMNS)).filter(usable)
        return pa.concat_tables([events, build_notes({"events read": batch.num_rows, **rejected}, events.schema)])

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return a row for each user of the batch, and what was left out."""
        table = pa.table(batch)
        notes = table.filter(pc.is_null(table["user"]))
        events = table.filter(pc.is_valid(table["user"]))
        found = [histories_of_notes(notes)] if notes.num_rows else []
        if events.num_rows:
            found.extend(self.merge_events(events.combine_chunks()))
        return pa.concat_tables(found) if found else None

    def merge_events(self, events: pa.Table) -> list[pa.Table]:
        """Merge the events of each user and item; leave out robots.

        Raises:
            ValueError: a user's events come in two batches, so that they cannot be seen together.
        """
        starts = run_starts(events["user"])
        sizes = np.diff(np.append(starts, events.num_rows))
        hours = hours_of(events["time"].to_numpy())
        robots = (busiest_hours(starts, sizes, hours, self.per_hour) > self.per_hour) | (sizes > self.per_user)
        is_more = self.continues_robot(events["user"][0].as_py())
        robots[0] |= is_more
        self.last_user, self.last_is_robot = events["user"][-1].as_py(), bool(robots[-1])
        human = ~np.repeat(robots, sizes)
        kept = events.filter(pa.array(human)).combine_chunks()
        histories = merge_histories(kept)
        pairs = int(np.diff(list_ends(histories)).sum()) if kept.num_rows else 0
        notes = {
            "robots": int(robots.sum()) - is_more,
            "events of robots": int(sizes[robots].sum()),
            "events merged": kept.num_rows - pairs,
            "events used": pairs,
        }
        return [histories, histories_of_notes(build_notes(notes, events.schema))]

    def continues_robot(self, user: str) -> bool:
        """Tell whether the first rows of a batch are more of a robot that the last batch ended with."""
        if user != self.last_user:
            return False
        if not self.last_is_robot:
            raise ValueError(
                f"user {user!r} has more events than fit into a batch: set maxEventsPerUser (now {self.per_user}) "
                "lower, such as 20000"
            )
        return True


def optional_column(batch: pa.RecordBatch, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a column as text, without nulls: one that is missing is empty."""
    if name not in batch.schema.names:
        return pa.repeat(pa.scalar("", pa.string()), batch.num_rows)
    return pc.fill_null(batch.column(name).cast(pa.string()), "")


def read_times(texts: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return seconds since 1970 (UTC) from such numbers, or from dates like 2026-05-01 or 2026-05-01T12:30:00Z.

    No time at all is 0; what cannot be read is null.
    """
    if pc.all(pc.and_(pc.ascii_is_decimal(texts), pc.less(pc.binary_length(texts), MOST_DIGITS + 1))).as_py():
        return texts.cast(pa.int64())
    numeric = pc.match_substring_regex(texts, rf"^-?\d{{1,{MOST_DIGITS}}}(\.\d+)?$")
    seconds = pc.if_else(numeric, pc.replace_substring_regex(texts, r"\..*", ""), None).cast(pa.int64())
    if pc.all(numeric).as_py():
        return seconds
    iso = pc.replace_substring(pc.ascii_rtrim(texts, "Z"), " ", "T")
    days = pc.strptime(iso, format="%Y-%m-%d", unit="s", error_is_null=True)
    moments = pc.strptime(iso, format="%Y-%m-%dT%H:%M:%S", unit="s", error_is_null=True)
    dated = pc.coalesce(moments, days).cast(pa.int64())
    return pc.coalesce(seconds, dated, pc.if_else(pc.equal(texts, ""), pa.scalar(0, pa.int64()), None))


def read_ratings(texts: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return numbers from texts; NaN: no number, or one that is no rating (LARGEST_RATING)."""
    if not pc.max(pc.binary_length(texts)).as_py():
        return pa.array(np.full(len(texts), np.nan))
    numeric = pc.match_substring_regex(texts, r"^-?\d{1,4}(\.\d{1,15})?$")
    values = pc.fill_null(pc.if_else(numeric, texts, None).cast(pa.float64()), np.nan)
    return pc.if_else(pc.less_equal(pc.abs(values), LARGEST_RATING), values, np.nan)


def count_reasons(reasons: dict[str, Any], rows: int) -> tuple[dict[str, int], Any]:
    """Return how many events each reason leaves out (the first one of an event counts), and which can be used."""
    usable = pa.array(np.ones(rows, np.bool_))
    counts = {}
    for reason, holds in reasons.items():
        counts[reason] = pc.sum(pc.and_(usable, holds)).as_py() or 0
        usable = pc.and_not(usable, holds)
    return counts, usable


def build_notes(counts: dict[str, int], schema: pa.Schema) -> pa.Table:
    """Return rows without a user that carry these counts."""
    found = {name: number for name, number in counts.items() if number}
    none = np.zeros(len(found), np.int64)
    columns = {
        "user": [None] * len(found),
        "item": list(found),
        "time": none,
        "event": list(found.values()),
        "set": none,
        "value": np.full(len(found), np.nan),
    }
    return pa.table([pa.array(columns[name], schema.field(name).type) for name in schema.names], schema=schema)


def histories_of_notes(notes: pa.Table) -> pa.Table:
    """Return the counts as a history of nobody."""
    return build_histories(notes, np.array([0]))


def run_starts(column: Any) -> Ints:  # noqa: ANN401 - pyarrow has no types
    """Return where each run of equal values begins."""
    if not len(column):
        return np.zeros(0, np.int64)
    differs = pc.not_equal(column[1:], column[:-1]).to_numpy()
    return np.concatenate(([0], np.flatnonzero(differs) + 1)).astype(np.int64)


def hours_of(times: Ints) -> Ints:
    """Return the hour of each event. One without a time has an hour of its own: nothing says that it was in haste."""
    return np.where(times == 0, -1 - np.arange(len(times)) + times.min(initial=0), times // SECONDS_OF_AN_HOUR)


def busiest_hours(starts: Ints, sizes: Ints, hours: Ints, most: int) -> Ints:
    """Return how many events each user's busiest hour has; 0 for users with at most so many events in all."""
    busy = np.flatnonzero(sizes > most)
    users = np.repeat(busy, sizes[busy])
    hours = hours[np.repeat(sizes > most, sizes)]
    order = np.lexsort((hours, users))
    by_user, by_hour = users[order], hours[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (by_user[1:] != by_user[:-1]) | (by_hour[1:] != by_hour[:-1])
    edges = np.flatnonzero(new)
    counts = np.diff(np.append(edges, len(order)))
    busiest = np.zeros(len(starts), np.int64)
    np.maximum.at(busiest, by_user[edges], counts)
    return busiest


def merge_histories(events: pa.Table) -> pa.Table:
    """Merge the events of each user and item: the first by time counts, and all are counted."""
    users, items = run_starts(events["user"]), run_starts(events["item"])
    starts = np.union1d(users, items)
    sizes = np.diff(np.append(starts, events.num_rows))
    merged = events.take(pa.array(first_rows(events["time"].to_numpy(), sizes)))
    merged = merged.set_column(merged.schema.get_field_index("event"), "event", pa.array(sizes))
    return build_histories(merged, np.searchsorted(starts, users))


def first_rows(times: Ints, sizes: Ints) -> npt.NDArray[np.int64]:
    """Return each group's row with the first time; of several the first."""
    first = np.cumsum(sizes) - sizes
    several = np.flatnonzero(sizes > 1)
    rows = np.flatnonzero(np.repeat(sizes > 1, sizes))
    order = np.lexsort((times[rows], np.repeat(several, sizes[several])))
    first[several] = rows[order[np.cumsum(sizes[several]) - sizes[several]]]
    return first


def build_histories(rows: pa.Table, starts: Ints) -> pa.Table:
    """Return a row for each user, with lists, from rows that are sorted by user."""
    rows = rows.combine_chunks()
    offsets = np.append(starts, rows.num_rows)
    lists = {plural: build_lists(offsets, rows[name].combine_chunks()) for name, plural in PLURALS.items()}
    return pa.table({"user": rows["user"].take(pa.array(starts)), **lists})


def list_ends(histories: pa.Table) -> Ints:
    """Return the offsets of the lists of items."""
    lengths = pc.list_value_length(histories["items"]).to_numpy()
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
