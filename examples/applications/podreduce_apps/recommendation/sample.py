"""A small shop to try the application on: its events are made up, seeded, and always the same bytes.

What is planted in it, so that one can see whether it is found: customers with one or two interests; pairs that are
bought together; popularity that changes; two robots; and lines that no program can use.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from podreduce_apps.number_hashes import hash_numbers

__all__ = ["PAIRS", "Shop", "make_shop", "write_sample"]

SEED = 7
USERS = 1200
DAYS = 120
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
SECONDS_OF_A_DAY = 86_400
KINDS = {
    "coffee": ("Espresso cups", "Coffee grinder", "Milk frother", "Pour-over kettle", "Filter papers", "Coffee scale"),
    "garden": ("Pruning shears", "Watering can", "Seed tray", "Garden gloves", "Compost bin", "Plant labels"),
    "cycling": ("Bike light", "Tyre levers", "Chain oil", "Frame pump", "Rain cape", "Bottle cage"),
    "baking": ("Loaf tin", "Dough scraper", "Proofing basket", "Rolling pin", "Cake ring", "Piping bag"),
    "drawing": ("Sketchbook", "Ink pens", "Kneaded eraser", "Charcoal set", "Brush roll", "Colour pencils"),
    "camping": ("Head torch", "Gas stove", "Sleeping mat", "Water filter", "Tarp", "Enamel mug"),
    "music": ("Guitar strings", "Capo", "Music stand", "Metronome", "Instrument cable", "Plectrum set"),
    "running": ("Running belt", "Reflective vest", "Foam roller", "Trail socks", "Sweat band", "Lace locks"),
}
MAKES = ("Alder", "Borealis", "Cobalt", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Isla", "Juniper")
PAIRS = 12
"""How many pairs of items are bought together."""
PAIR_CHANCE = 0.7
SECOND_INTEREST_CHANCE = 0.5
SOON_CHANCE = 0.8
INTEREST_CHANCE = 0.9
BUY_CHANCE = 0.35
SPOILED_EVERY = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A made-up shop. `pairs`: items by number that are bought together; `titles` and `kinds`: of each item."""

    titles: list[str]
    kinds: list[str]
    pairs: list[tuple[int, int]]
    events: list[tuple[str, str, str, str, str]]


def item_name(number: int) -> str:
    """Return an item's name in the events."""
    return f"i{number:04d}"


def make_shop(users: int = USERS, seed: int = SEED) -> Shop:
    """Return a shop with the events of so many users, sorted by time: user, item, type, value, time."""
    chance = np.random.default_rng(seed)
    made = [(f"{make} {noun.lower()}", kind) for kind, nouns in KINDS.items() for noun in nouns for make in MAKES]
    titles, kinds = [title for title, _ in made], [kind for _, kind in made]
    per_kind = len(made) // len(KINDS)
    shuffled = chance.permutation(per_kind)
    # The two of a pair are of different interests, so that only their being bought together can tell.
    pairs = [
        (int(shuffled[n]) + per_kind * (n % 4), int(shuffled[n + PAIRS]) + per_kind * (n % 4 + 4)) for n in range(PAIRS)
    ]
    drawn = [event for user in range(users) for event in draw_user(chance, user, per_kind, dict(pairs))]
    drawn.sort(key=lambda event: (int(event[4]), event))
    return Shop(titles=titles, kinds=kinds, pairs=pairs, events=drawn)


def draw_user(
    chance: np.random.Generator, user: int, per_kind: int, pairs: dict[int, int]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what a customer did: looked at items of one or two interests, and bought some of them."""
    interests = chance.choice(len(KINDS), size=1 + int(chance.random() < SECOND_INTEREST_CHANCE), replace=False)
    first = chance.uniform(0, DAYS * 0.95)
    for _ in range(7 + int(chance.pareto(1.4) * 7) % 120):
        is_soon = chance.random() < SOON_CHANCE
        day = first + chance.exponential(25) if is_soon else chance.uniform(first, DAYS)
        if day >= DAYS:
            continue
        time = START + int(day * SECONDS_OF_A_DAY)
        kind = int(chance.choice(interests)) if chance.random() < INTEREST_CHANCE else int(chance.integers(len(KINDS)))
        item = kind * per_kind + popular_place(chance, per_kind, day)
        bought = chance.random() < BUY_CHANCE
        rating = f"{rate(user, item)}" if bought else ""
        yield f"u{user:05d}", item_name(item), "buy" if bought else "view", rating, str(time)
        if item in pairs and chance.random() < PAIR_CHANCE:
            yield f"u{user:05d}", item_name(pairs[item]), "buy", "", str(time + 60)


def rate(user: int, item: int) -> int:
    """Return what a customer says of an item, from 1 to 5: by its quality, the customer's mood, and a taste."""
    numbers = np.array([user, item, user, item, user << 20 | item]) + (np.arange(5) << 60)
    mood, quality, taste, flavour, noise = (hash_numbers(numbers.astype(np.uint64), SEED) >> 11) * 2.0**-52 - 1
    return int(np.clip(np.rint(3.7 + 0.5 * mood + 0.8 * quality + 1.5 * taste * flavour + 0.6 * noise), 1, 5))


def popular_place(chance: np.random.Generator, per_kind: int, day: float) -> int:
    """Return an item of a kind: few are chosen often, and which ones changes with the weeks."""
    place = int(per_kind * chance.random() ** 1.8)
    return int((place * 17 + int(day / 40) * 5) % per_kind)


def write_sample(directory: Path) -> None:
    """Write `events/events.csv` and `items/items.csv`."""
    shop = make_shop()
    chance = np.random.default_rng(SEED + 1)
    lines = [*shop.events, *draw_robots(chance, len(shop.titles))]
    lines.sort(key=lambda event: (int(event[4]), event))
    for folder in ("events", "items"):
        (directory / folder).mkdir(parents=True)
    with (directory / "events" / "events.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("user", "item", "type", "value", "time"))
        for number, line in enumerate(lines):
            writer.writerow(line)
            if not (number + 1) % SPOILED_EVERY:
                file.write(spoiled_line(number // SPOILED_EVERY, line))
    with (directory / "items" / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("item", "title", "group"))
        writer.writerows((item_name(n), title, shop.kinds[n]) for n, title in enumerate(shop.titles))


def draw_robots(chance: np.random.Generator, items: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what two robots did: thousands of views within hours."""
    for robot in range(2):
        begin = START + (20 + 40 * robot) * SECONDS_OF_A_DAY
        for moment in range(2500):
            yield f"u9900{robot}", item_name(int(chance.integers(items))), "view", "", str(begin + moment * 3)


def spoiled_line(number: int, line: tuple[str, str, str, str, str]) -> str:
    """Return a line that cannot be used: the kinds of them take turns."""
    user, item, kind, value, time = line
    spoiled = (
        f"{user},,{kind},{value},{time}",
        f"{user},{item},{kind},{value},yesterday",
        f",{item},{kind},{value},{time}",
    )
    return (*spoiled, f"{user},{item},refund,{value},{time}", f"{user},{item}")[number % 5] + "\n"
