"""Events in all their states, and what becomes of them; histories as pandas makes them."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from podreduce_apps.recommendation.clean import Clean, read_times
from tests.applications.recommendation.contexts import Given, default_parameters, one_batch

NOON = int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())


def clean(
    events: pa.Table, cuts: tuple[int, ...] = (), **changed: str
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Histories by user, and what was left out; the sorted events reach the reduce in batches that end at `cuts`."""
    job = Clean()
    job.setup(Given(default_parameters(**changed)))
    mapped = job.map_batch(one_batch(events))
    by = [("user", "ascending"), ("item", "ascending")]
    nobody = pc.is_null(mapped["user"])  # their rows come first
    ordered = pa.concat_tables([mapped.filter(nobody), mapped.filter(pc.invert(nobody)).sort_by(by)])
    edges = [0, *cuts, ordered.num_rows]
    found = [job.reduce_batch(one_batch(ordered.slice(start, end - start))) for start, end in pairwise(edges)]
    rows = pa.concat_tables([table for table in found if table is not None]).to_pylist()
    notes: dict[str, int] = {}
    for row in rows:
        if row["user"] is None:
            for reason, number in zip(row["items"], row["events"], strict=True):
                notes[reason] = notes.get(reason, 0) + number
    return {row["user"]: row for row in rows if row["user"] is not None}, notes


def table(rows: list[tuple[str, str, str, str, str]]) -> pa.Table:
    names = ("user", "item", "type", "value", "time")
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("", "a", "view", "", "1"), "no user"),
        (("u", "", "view", "", "1"), "no item"),
        (("u", "a", "refund", "", "1"), "another type"),
        (("u", "a", "view", "", "yesterday"), "time not readable"),
        (("u", "a", "view", "", "2026-13-01"), "time not readable"),
        (("", "", "refund", "", "x"), "no user"),
    ],
)
def test_an_event_that_cannot_be_used_is_counted_by_its_first_reason(line: tuple[str, ...], reason: str) -> None:
    good = ("v", "a", "view", "", "1")
    histories, notes = clean(table([line, good]))  # type: ignore[list-item]
    assert set(histories) == {"v"}
    assert notes == {"events read": 2, reason: 1, "events used": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1777636800", 1777636800),
        ("1777636800.75", 1777636800),
        ("-5", -5),
        ("", 0),
        ("2026-05-01", NOON - 12 * 3600),
        ("2026-05-01T12:00:00Z", NOON),
        ("2026-05-01 12:00:00", NOON),
        ("12:00", None),
        ("nan", None),
    ],
)
def test_a_time_is_seconds_or_a_date(text: str, seconds: int | None) -> None:
    assert read_times(pa.array([text, "0"])).to_pylist() == [seconds, 0]


def test_events_of_one_user_and_item_are_merged_as_pandas_merges_them() -> None:
    chance = np.random.default_rng(3)
    size = 4000
    frame = pd.DataFrame(
        {
            "user": [f"u{number:02d}" for number in chance.integers(40, size=size)],
            "item": [f"i{number:02d}" for number in chance.integers(30, size=size)],
            "type": chance.choice(["view", "cart", "buy"], size),
            "time": chance.integers(1000, size=size) * 10_000,
        }
    )
    histories, notes = clean(pa.Table.from_pandas(frame, preserve_index=False))
    groups = frame.groupby(["user", "item"]).agg(time=("time", "min"), events=("time", "size"))
    for user, rows in groups.groupby(level=0):
        found = histories[str(user)]
        assert found["items"] == [item for _, item in rows.index]
        assert found["times"] == rows["time"].tolist()
        assert found["events"] == rows["events"].tolist()
    assert notes == {"events read": size, "events merged": size - len(groups), "events used": len(groups)}


def test_a_robot_is_left_out_and_counted_however_its_events_reach_the_reduce() -> None:
    robot = [("robot", f"i{number:03d}", "view", "", str(number * 100_000)) for number in range(60)]
    fast = [("fast", f"i{number:03d}", "view", "", str(number + 1)) for number in range(20)]
    human = [("zoe", "i000", "view", "", "5"), ("ann", "i001", "buy", "", "6")]
    events = table([*robot, *fast, *human])
    for cuts in ((), (22, 76), (2, 22, 73, 78)):  # a note, ann, fast from 2 on, robot from 22 on, zoe
        histories, notes = clean(events, cuts, maxEventsPerUser="50", maxEventsPerHour="19")
        assert set(histories) == {"ann", "zoe"}
        assert notes == {"events read": 82, "robots": 2, "events of robots": 80, "events used": 2}


def test_a_user_who_is_cut_without_being_a_robot_is_an_error_not_two_users() -> None:
    events = table([("u", f"i{number}", "view", "", str(number * 100_000)) for number in range(9)])
    with pytest.raises(ValueError, match="maxEventsPerUser"):
        clean(events, (5,))


def test_of_events_of_one_item_the_first_by_time_says_to_which_part_it_belongs() -> None:
    events = pa.table(
        {"user": ["u"] * 3, "item": ["a"] * 3, "time": ["5", "2", "9"], "set": ["train", "test", "train"]}
    )
    histories, _ = clean(events)
    assert (histories["u"]["times"], histories["u"]["sets"]) == ([2], [1])


def test_events_with_user_and_item_alone_are_enough() -> None:
    histories, notes = clean(pa.table({"user": ["u", "u"], "item": ["b", "a"]}))
    assert histories["u"]["items"] == ["a", "b"]
    assert histories["u"]["events"] == [1, 1]
    assert notes == {"events read": 2, "events used": 2}


def test_a_user_whose_events_have_no_times_is_no_robot() -> None:
    events = pa.table({"user": ["u"] * 30, "item": [f"i{number:02d}" for number in range(30)]})
    histories, notes = clean(events, maxEventsPerHour="5")
    assert len(histories["u"]["items"]) == 30
    assert notes == {"events read": 30, "events used": 30}


def test_a_given_part_that_has_no_such_name_is_counted_not_learned_from() -> None:
    events = pa.table(
        {"user": ["u"] * 4, "item": ["a", "b", "c", "d"], "set": ["train", "test", "Test", ""], "time": ["1"] * 4}
    )
    histories, notes = clean(events, split="given")
    assert histories["u"]["items"] == ["a", "b"]
    assert notes == {"events read": 4, "neither train nor test": 2, "events used": 2}
    assert clean(events, split="time")[0]["u"]["items"] == ["a", "b", "c", "d"]
