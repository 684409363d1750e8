"""Data to try the application with: simulated transactions and reports, as CSV. The same bytes each time."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from podreduce_apps.risk.handbook import Shop, Simulated, simulate
from podreduce_apps.risk.periods import DAY_SECONDS, day_number

__all__ = ["HANDBOOK", "SAMPLE", "write_data", "write_sample"]

SAMPLE = Shop(customers=800, terminals=1600, first_day="2018-06-04", days=72, radius=14.0, seed=7)
HANDBOOK = Shop(customers=5000, terminals=10_000, first_day="2018-04-01", days=183, radius=5.0, seed=0)
"""The size of the book's own data."""

REPORT_DELAY_DAYS = 7
FILE_DAYS = 31
RINGS, RING_CUSTOMERS = 3, 5
"""The first customers make rings that share a device, for the rules to find."""

NO_NETWORK = "9999"
"""Card numbers of no real network begin so."""


def write_sample(directory: Path) -> None:
    """Write the sample's `transactions/` and `labels/` into a directory."""
    write_data(directory, SAMPLE)


def write_data(directory: Path, shop: Shop) -> Simulated:
    """Write a shop's data into a directory, a file for each month, and return what was simulated."""
    history = simulate(shop)
    table = transactions(history, shop)
    month = history.times // (FILE_DAYS * DAY_SECONDS)
    for number in np.unique(month):
        write_csv(table.filter(pa.array(month == number)), directory / "transactions" / f"{number + 1:02d}.csv")
    write_csv(reports(history, shop), directory / "labels" / "reports.csv")
    return history


def transactions(history: Simulated, shop: Shop) -> pa.Table:
    """Return the transactions as they come from a payment system."""
    count = len(history.times)
    random = np.random.default_rng(shop.seed + 1)
    cards = pa.array([card_number(each) for each in range(int(history.customers.max()) + 1)])
    channels = pa.array(["terminal", "online"])
    return pa.table(
        {
            "id": pc.cast(pa.array(np.arange(count)), pa.string()),
            "time": time_texts(shop, history.times),
            "card": cards.take(pa.array(history.customers)),
            "merchant": name_each("m", history.terminals),
            "amount": pc.cast(pa.array(history.amounts / 100), pa.string()),
            "currency": pa.array(np.full(count, "EUR")),
            "country": pa.array(np.full(count, "FR")),
            "device": draw_devices(random, history, shop),
            "channel": channels.take(pa.array((random.uniform(size=count) < 1 / 4).astype(np.int64))),
        }
    )


def draw_devices(random: np.random.Generator, history: Simulated, shop: Shop) -> pa.Array:
    """Return a device for each transaction: mostly the customer's own, now and then that of a ring, or of everybody."""
    chance = random.uniform(size=len(history.times))
    ring = history.customers // RING_CUSTOMERS
    is_ring = (ring < RINGS) & (chance < 1 / 10)
    shared = pa.array(np.where(is_ring, ring, 0) + shop.customers)
    own = pc.if_else(pa.array(is_ring), shared, pa.array(history.customers))
    names = pc.binary_join_element_wise("d", pc.cast(own, pa.string()), "")
    return pc.if_else(pa.array(chance > 1 - 1 / 50), "kiosk", names)


def reports(history: Simulated, shop: Shop) -> pa.Table:
    """Return the reports of the frauds, each some days later."""
    random = np.random.default_rng(shop.seed + 2)
    rows = np.flatnonzero(history.scenarios)
    delay = random.integers(0, REPORT_DELAY_DAYS * DAY_SECONDS, len(rows))
    return pa.table(
        {"id": pc.cast(pa.array(rows), pa.string()), "reported": time_texts(shop, history.times[rows] + delay)}
    )


def name_each(prefix: str, numbers: npt.NDArray[np.int64]) -> pa.Array:
    """Return names such as m17."""
    return pc.binary_join_element_wise(prefix, pc.cast(pa.array(numbers), pa.string()), "")


def time_texts(shop: Shop, seconds: npt.NDArray[np.int64]) -> pa.Array:
    """Return seconds since the first day as times such as 2018-04-01T12:00:00Z."""
    times = pa.array(seconds + day_number(shop.first_day, "first_day") * DAY_SECONDS).cast(pa.timestamp("s"))
    return pc.strftime(times, "%Y-%m-%dT%H:%M:%SZ")


def card_number(customer: int) -> str:
    """Return a card number of 16 digits that no network has, with a sound check digit (Luhn)."""
    digits = f"{NO_NETWORK}{customer:011d}"
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(digits)]
    check = -sum(each // 10 + each % 10 for each in doubled) % 10
    return f"{digits}{check}"


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pa_csv.write_csv(table, path)
