"""What the examples of pipelines must give, by plain Python and numpy; and data for them, of any size.

Rule: nothing here knows podreduce, nor the examples' programs. Each `draw_…` writes the same files for the same seed.
"""

import csv
import re
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median_high

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

__all__ = [
    "PagesReport",
    "draw_links",
    "draw_logs",
    "draw_points",
    "expected_authors",
    "expected_centres",
    "expected_labels",
    "expected_ranks",
    "expected_report",
]

PagesReport = dict[str, tuple[int, int, int]]
"""Visits, the median of their milliseconds, and faults, by page."""

AGENTS = ("browser", "phone", "searchbot")
STATUSES = (200,) * 12 + (304,) * 4 + (404, 500, 503)


def draw_logs(directory: Path, *, seed: int, rows: int, files: int = 2) -> None:
    """Write access logs for `web`: CSV files below `day=2026-05-01/`."""
    rng, day = Random(seed), directory / "day=2026-05-01"  # noqa: S311 - data must be repeatable
    day.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        with (day / f"{number + 1}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["time", "page", "agent", "status", "milliseconds"])
            for row in range(number * rows // files, (number + 1) * rows // files):
                page = f"/page/{int(rng.paretovariate(0.8)) % 40}" + ("?from=mail" if rng.random() < 0.1 else "")
                time = f"2026-05-01T{row * 24 // rows:02}:{rng.randrange(60):02}:{rng.randrange(60):02}Z"
                writer.writerow([time, page, rng.choice(AGENTS), rng.choice(STATUSES), rng.randrange(3, 900)])


def expected_report(directory: Path) -> PagesReport:
    """Return the report over the logs of a directory."""
    times: dict[str, list[int]] = defaultdict(list)
    faults: dict[str, int] = defaultdict(int)
    for path in sorted(directory.glob("day=2026-05-01/*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if "bot" not in row["agent"]:
                    page, _, _ = row["page"].partition("?")
                    times[page].append(int(row["milliseconds"]))
                    faults[page] += row["status"].startswith("5")
    return {page: (len(found), median_high(found), faults[page]) for page, found in times.items()}


def draw_links(directory: Path, *, seed: int, pages: int, files: int = 2) -> None:
    """Write a graph for `pagerank`. A few pages that are linked to are not listed: they link to nothing."""
    rng = Random(seed)  # noqa: S311 - data must be repeatable
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        lines = []
        for page in range(number, pages, files):
            links = [
                f"page-{int(rng.paretovariate(0.7)) % (pages + pages // 20 + 1)}" for _ in range(rng.randint(1, 8))
            ]
            lines.append(f"page-{page}\t{' '.join(links)}\n")
        (directory / f"{number + 1}.txt").write_text("".join(lines))


def expected_ranks(
    directory: Path, *, damping: float = 0.85, less_than_micro: int = 10_000, most: int = 60
) -> tuple[dict[str, float], int]:
    """Return the ranks by power iteration, and how many iterations they took until they moved so little."""
    lines = [line for path in sorted(directory.glob("*.txt")) for line in path.read_text().splitlines()]
    links = {page: targets.split() for page, targets in (line.split("\t") for line in lines)}
    pages = sorted({*links, *(target for targets in links.values() for target in targets)})
    place = {page: number for number, page in enumerate(pages)}
    matrix = np.zeros((len(pages), len(pages)))
    for page, targets in links.items():
        np.add.at(matrix, ([place[target] for target in targets], place[page]), 1 / len(targets))
    ranks = np.array([1.0 if page in links else 0.0 for page in pages])
    iteration = 0
    while iteration < most:
        iteration += 1
        new = 1 - damping + damping * (matrix @ ranks)
        moved, ranks = np.round(np.abs(new - ranks) * 1e6).sum(), new
        if moved < less_than_micro:
            break
    return dict(zip(pages, ranks.tolist(), strict=True)), iteration


def draw_points(directory: Path, *, seed: int, points: int, groups: int = 4, files: int = 2) -> None:
    """Write points for `kmeans`, in groups of normal distributions."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(-10, 10, size=(groups, 2))
    found = middles[rng.integers(groups, size=points)] + rng.normal(scale=1.5, size=(points, 2))
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        rows = found[number * points // files : (number + 1) * points // files]
        lines = [f"{x:.4f},{y:.4f}\n" for x, y in rows]
        (directory / f"{number + 1}.csv").write_text("x,y\n" + "".join(lines))


def read_points(directory: Path) -> np.ndarray:
    """Return the points as rows, in the order of the files."""
    lines = [line for path in sorted(directory.glob("*.csv")) for line in path.read_text().splitlines()[1:]]
    return np.array([[float(number) for number in line.split(",")] for line in lines])


def expected_centres(directory: Path, k: int, *, most: int = 50) -> tuple[dict[int, tuple[float, float]], int]:
    """Return the centres after Lloyd's algorithm, and how many iterations it took, the last one without a move."""
    points = read_points(directory)
    hashed = sorted({(sha256(repr((x, y)).encode()).hexdigest(), x, y) for x, y in points.tolist()})
    numbers, centres = np.arange(min(k, len(hashed))), np.array([[x, y] for _, x, y in hashed[:k]])
    labels, iteration = None, 0
    while iteration < most:
        iteration += 1
        nearest = find_nearest(points, centres)
        kept = np.unique(nearest)
        new_labels = numbers[nearest]
        centres = np.array([points[nearest == each].mean(axis=0) for each in kept])
        numbers = numbers[kept]
        if labels is not None and np.array_equal(labels, new_labels):
            break
        labels = new_labels
    found = {int(number): (float(x), float(y)) for number, (x, y) in zip(numbers, centres, strict=True)}
    return found, iteration


def expected_labels(directory: Path, centres: dict[int, tuple[float, float]]) -> list[int]:
    """Return the number of the nearest centre of each point, in the order of the files."""
    numbers = sorted(centres)
    nearest = find_nearest(read_points(directory), np.array([centres[number] for number in numbers]))
    return [numbers[place] for place in nearest]


def find_nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the row of the nearest centre of each point, the first if two are as near."""
    distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    return distances.argmin(axis=1)


def expected_authors(directory: Path) -> dict[tuple[str, int], tuple[str, float]]:
    """Return the judged book and the margin of each passage of `authors`, by scikit-learn's naive Bayes."""
    passages: dict[tuple[str, int], list[str]] = defaultdict(list)
    for path in sorted(directory.iterdir()):
        offset = 0
        for line in path.read_bytes().splitlines(keepends=True):
            passages[path.stem, offset // 500].append(line.decode())
            offset += len(line)
    texts = {key: " ".join(lines) for key, lines in passages.items()}
    texts = {key: text for key, text in texts.items() if re.search("[a-z']", text.lower())}
    counter = CountVectorizer(token_pattern="[a-z']+")  # noqa: S106 - no password
    learned = [key for key in texts if key[1] % 5]
    model = MultinomialNB(alpha=1.0, fit_prior=False)
    model.fit(counter.fit_transform(texts[key] for key in learned), [book for book, _ in learned])
    judged = [key for key in texts if key[1] % 5 == 0]
    chances = np.sort(model.predict_joint_log_proba(counter.transform(texts[key] for key in judged)), axis=1)
    books = model.predict(counter.transform(texts[key] for key in judged))
    margins = chances[:, -1] - chances[:, -2]
    return {key: (str(book), float(margin)) for key, book, margin in zip(judged, books, margins, strict=True)}
