"""Simulated card transactions with fraud.

In the manner of chapter 3 of "Reproducible Machine Learning for Credit Card Fraud Detection" (Le Borgne, Siblini,
Lebichot, Bontempi 2022), written anew from its formulae.

Customers lie in a square of 100 x 100 and buy at the terminals within `radius`. Fraud is of three kinds: amounts over
220; two terminals a day whose transactions of 28 days are all fraud; three customers a day of whose transactions of 14
days a third are five times as large, and fraud.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from podreduce_apps.risk.periods import DAY_SECONDS

__all__ = ["Shop", "Simulated", "simulate"]

NOON = DAY_SECONDS / 2
TIME_DEVIATION = 20_000
LARGE_AMOUNT = 22_000
BAD_TERMINALS_A_DAY, TERMINAL_DAYS = 2 / 10_000, 28
MISUSED_CUSTOMERS_A_DAY, CUSTOMER_DAYS = 3 / 5_000, 14
"""In the book 2 of 10,000 terminals and 3 of 5,000 customers a day."""
SQUARE = 100.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is simulated.

    Attributes:
        customers: how many there are; each has one card.
        terminals: how many there are.
        first_day: the day on which it begins, such as 2018-04-01.
        days: for how long.
        radius: how far a customer goes; the square has sides of 100.
        seed: chooses one of all possible histories.
    """

    customers: int
    terminals: int
    first_day: str
    days: int
    radius: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Transactions in order of time: seconds since the first day, customer, terminal, cents, and the fraud scenario."""

    times: Ints
    customers: Ints
    terminals: Ints
    amounts: Ints
    scenarios: npt.NDArray[np.int8]


def simulate(shop: Shop) -> Simulated:
    """Return the history of a shop: the same for the same shop."""
    random = np.random.default_rng(shop.seed)
    places, terminal_places = (
        random.uniform(0, SQUARE, (shop.customers, 2)),
        random.uniform(0, SQUARE, (shop.terminals, 2)),
    )
    means, rates = random.uniform(5, 100, shop.customers), random.uniform(0, 4, shop.customers)
    counts = random.poisson(rates[:, None], (shop.customers, shop.days))
    customers = np.repeat(np.arange(shop.customers), counts.sum(axis=1))
    days = np.concatenate([np.repeat(np.arange(shop.days), row) for row in counts])
    seconds = random.normal(NOON, TIME_DEVIATION, len(days)).astype(np.int64)
    amounts = draw_amounts(random, means[customers])
    terminals = draw_terminals(random, customers, places, terminal_places, shop.radius)
    is_kept = (seconds > 0) & (seconds < DAY_SECONDS) & (terminals >= 0)
    times = (days * DAY_SECONDS + seconds)[is_kept]
    order = np.argsort(times, kind="stable")
    customers, terminals, amounts = customers[is_kept][order], terminals[is_kept][order], amounts[is_kept][order]
    times = times[order]
    honest = Simulated(
        times=times,
        customers=customers,
        terminals=terminals,
        amounts=amounts,
        scenarios=(amounts > LARGE_AMOUNT).astype(np.int8),
    )
    return add_fraud(random, shop, honest)


def draw_amounts(random: np.random.Generator, means: Floats) -> Ints:
    """Return amounts in cents, with a deviation of half the mean; a negative one is drawn again, evenly to 2 x mean."""
    amounts = random.normal(means, means / 2)
    again = random.uniform(0, 2 * means)
    return np.asarray(np.rint(100 * np.where(amounts < 0, again, amounts)), np.int64)


def draw_terminals(
    random: np.random.Generator, customers: Ints, places: Floats, terminal_places: Floats, radius: float
) -> Ints:
    """Return a terminal near the customer for each transaction; -1 if there is none."""
    chosen = np.full(len(customers), -1)
    starts = np.searchsorted(customers, np.arange(len(places) + 1))
    for customer, place in enumerate(places):
        near = np.flatnonzero(((terminal_places - place) ** 2).sum(axis=1) < radius**2)
        if len(near):
            first, end = starts[customer], starts[customer + 1]
            chosen[first:end] = random.choice(near, end - first)
    return chosen


def add_fraud(random: np.random.Generator, shop: Shop, honest: Simulated) -> Simulated:
    """Return a history with misused terminals and customers. Where two scenarios meet, the later one counts."""
    days, amounts, scenarios = honest.times // DAY_SECONDS, honest.amounts.copy(), honest.scenarios.copy()
    starts = np.searchsorted(days, np.arange(shop.days + max(CUSTOMER_DAYS, TERMINAL_DAYS) + 1))
    for day in range(shop.days):
        bad = draw_some(random, shop.terminals, BAD_TERMINALS_A_DAY)
        rows = np.arange(starts[day], starts[day + TERMINAL_DAYS])
        scenarios[rows[np.isin(honest.terminals[rows], bad)]] = 2
    for day in range(shop.days):
        misused = draw_some(random, shop.customers, MISUSED_CUSTOMERS_A_DAY)
        rows = np.arange(starts[day], starts[day + CUSTOMER_DAYS])
        rows = rows[np.isin(honest.customers[rows], misused)]
        rows = random.choice(rows, len(rows) // 3, replace=False)
        amounts[rows] *= 5
        scenarios[rows] = 3
    return replace(honest, amounts=amounts, scenarios=scenarios)


def draw_some(random: np.random.Generator, count: int, share: float) -> Ints:
    """Return this share of the numbers below `count`, rounded up or down so that it is right on average."""
    expected = count * share
    chosen = int(expected) + int(random.uniform() < expected - int(expected))
    return random.choice(count, chosen, replace=False)
