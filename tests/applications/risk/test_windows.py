"""The windows beside pandas' rolling ones, and beside themselves in other batches."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from podreduce_apps.risk.card_windows import WINDOW_DAYS, CardWindows, card_columns
from podreduce_apps.risk.merchant_windows import MerchantWindows, longest_window, merchant_columns
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.windows import GroupTail

PARAMETERS = {"trainFrom": "2018-05-01", "trainDays": "7", "delayDays": "7", "scoreDays": "7"}
PERIODS = Periods.read(PARAMETERS)
FIRST = (PERIODS.train_from - 40) * DAY_SECONDS


def draw_rows(seed: int, count: int = 700) -> pa.Table:
    """Return rows of some groups; times are coarse, so that many are equal, or exactly a window apart."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "id": [str(number) for number in range(count)],
            "time": FIRST + random.integers(0, 80 * 4, count) * (DAY_SECONDS // 4),
            "card": random.integers(-3, 3, count),
            "merchant": [f"m{number}" for number in random.integers(0, 5, count)],
            "amount": random.integers(-500, 40_000, count),
            "fraud": (random.uniform(size=count) < 0.15).astype(np.int8),
        }
    )


def in_order(table: pa.Table, group: str) -> pa.Table:
    return table.sort_by([(group, "ascending"), ("time", "ascending"), ("id", "ascending")])


def rolling(table: pa.Table, group: str, value: str, days: int, how: str) -> np.ndarray:
    frame = table.to_pandas()
    frame["when"] = pd.to_datetime(frame["time"], unit="s")
    parts = [
        getattr(rows.set_index("when")[value].rolling(f"{days}D"), how)().to_numpy()
        for _, rows in frame.groupby(group, sort=True)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("days", WINDOW_DAYS)
def test_counts_and_means_of_a_card_are_those_of_pandas(days: int, seed: int) -> None:
    table = in_order(draw_rows(seed), "card")

    columns = card_columns(table, PERIODS)

    assert np.array_equal(columns[f"card_count_{days}d"], rolling(table, "card", "amount", days, "count"))
    means = rolling(table, "card", "amount", days, "mean") / 100
    assert np.allclose(columns[f"card_mean_{days}d"], means, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("days", WINDOW_DAYS)
def test_a_merchants_risk_is_that_of_pandas_without_the_days_of_the_label_delay(days: int, seed: int) -> None:
    table, delay = in_order(draw_rows(seed), "merchant"), PERIODS.delay_days

    columns = merchant_columns(table, delay)

    count = rolling(table, "merchant", "fraud", delay + days, "count") - rolling(
        table, "merchant", "fraud", delay, "count"
    )
    frauds = rolling(table, "merchant", "fraud", delay + days, "sum") - rolling(
        table, "merchant", "fraud", delay, "sum"
    )
    assert np.array_equal(columns[f"merchant_count_{days}d"], count)
    expected = np.divide(frauds, count, out=np.zeros(len(count)), where=count > 0)
    assert np.allclose(columns[f"merchant_risk_{days}d"], expected, rtol=0, atol=1e-9)


def test_nothing_of_a_report_is_seen_before_the_label_delay() -> None:
    table = in_order(draw_rows(9), "merchant")
    times = table["time"].to_numpy()
    latest = times.max()
    recent = times > latest - PERIODS.delay_days * DAY_SECONDS
    fraud = table["fraud"].to_numpy()
    other = table.set_column(
        table.schema.get_field_index("fraud"), "fraud", pa.array(np.where(recent, 1 - fraud, fraud).astype(np.int8))
    )

    changed = [
        name
        for name, values in merchant_columns(other, PERIODS.delay_days).items()
        if not np.array_equal(values, merchant_columns(table, PERIODS.delay_days)[name])
    ]

    assert changed == []
    undelayed = merchant_columns(other, 0)["merchant_risk_7d"]
    assert not np.array_equal(undelayed, merchant_columns(table, 0)["merchant_risk_7d"])


@pytest.mark.parametrize("seed", range(5))
def test_a_card_is_blocked_from_the_day_on_which_a_report_can_be_known(seed: int) -> None:
    table = in_order(draw_rows(seed), "card")
    rows = table.to_pylist()

    found = card_columns(table, PERIODS)["compromised"].tolist()

    def is_known(row: dict, by_day: int) -> bool:
        day = row["time"] // DAY_SECONDS
        return bool(row["fraud"]) and PERIODS.train_from <= day < by_day - PERIODS.delay_days

    assert found == [
        int(any(each["card"] == row["card"] and is_known(each, row["time"] // DAY_SECONDS) for each in rows))
        for row in rows
    ]
    assert 0 < sum(found) < len(found)


class FakeContext:
    parameters = PARAMETERS


@pytest.mark.parametrize("rows_a_batch", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize(("job", "group"), [(CardWindows, "card"), (MerchantWindows, "merchant")])
def test_batches_may_be_cut_anywhere(job: type, group: str, rows_a_batch: int) -> None:
    table = in_order(draw_rows(3), group)
    table = table.select([group, *[name for name in table.column_names if name != group]])
    whole, cut = job(), job()
    whole.setup(FakeContext())
    cut.setup(FakeContext())

    expected = whole.reduce_batch(table.combine_chunks().to_batches()[0])

    parts = [cut.reduce_batch(batch) for batch in table.combine_chunks().to_batches(rows_a_batch)]
    assert pa.concat_tables(parts).equals(expected)


def test_the_tail_of_a_group_keeps_what_later_rows_need_and_no_more() -> None:
    tail = GroupTail("card", 10, keep="fraud")
    rows = pa.table({"card": [1, 2, 2, 2], "time": [0, 5, 11, 20], "fraud": [0, 1, 0, 0]})

    tail.prepend(rows)

    assert tail.rows is not None
    assert tail.rows["time"].to_pylist() == [5, 11, 20]
    assert longest_window(7) == 37 * DAY_SECONDS


@pytest.mark.parametrize("delay", range(3))
def test_no_row_knows_its_own_report_whatever_the_delay(delay: int) -> None:
    table = in_order(draw_rows(4), "merchant")
    try:
        known = Periods.read({**PARAMETERS, "delayDays": str(delay)}).delay_days
    except ValueError:
        return  # such a delay is refused
    fraud = table["fraud"].to_numpy()
    for row in range(0, table.num_rows, 7):
        other = fraud.copy()
        other[row] = 1 - other[row]
        changed = table.set_column(table.schema.get_field_index("fraud"), "fraud", pa.array(other))
        for name, values in merchant_columns(changed, known).items():
            assert values[row] == merchant_columns(table, known)[name][row], (name, row)
