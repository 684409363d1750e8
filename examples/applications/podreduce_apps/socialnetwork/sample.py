"""The sample: who writes to whom in a made-up company of twelve teams, with the faults that real lists have."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["write_sample"]

SEED = 7
PEOPLE = 480
TEAMS = (
    "Research", "Design", "Platform", "Mobile", "Data", "Security",
    "Support", "Sales", "Marketing", "Finance", "People", "Logistics",
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Alan", "Amir", "Anna", "Aiko", "Bela", "Carl", "Chen", "Clara", "Dana", "Diego", "Edith",
    "Elif", "Emil", "Fatma", "Femi", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Joao", "Kofi",
)  # fmt: skip
LAST_NAMES = (
    "Abe", "Bauer", "Costa", "Diaz", "Eze", "Fischer", "Garcia", "Haas", "Ito", "Jansen",
    "Kaya", "Lopez", "Moreau", "Novak", "Okafor", "Park", "Quinn", "Rossi", "Silva", "Tanaka",
)  # fmt: skip
CONTACTS = 5
WITHIN_TEAM = 0.72


def write_sample(directory: Path) -> None:
    """Write `edges.csv` (source, target, messages a week) and `nodes.csv` (name, team) into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(SEED)
    names = [f"{first} {last}" for last in LAST_NAMES for first in FIRST_NAMES]
    teams = generator.choice(len(TEAMS), PEOPLE, p=np.arange(4, 16) / np.arange(4, 16).sum())
    pairs = draw_pairs(generator, teams)
    messages = 1 + generator.poisson(np.where(teams[pairs[:, 0]] == teams[pairs[:, 1]], 6, 2))
    lines = [f"{names[a]},{names[b]},{count}" for (a, b), count in zip(pairs, messages, strict=True)]
    add_faults(lines, names)
    (directory / "edges.csv").write_text("source,target,messages\n" + "\n".join(lines) + "\n", "utf-8")
    rows = [f"{name},{TEAMS[team]}" for name, team in zip(names, teams, strict=True)]
    rows += ["Guest One,Visitors", "Guest Two,Visitors", "New Colleague,Sales"]
    (directory / "nodes.csv").write_text("name,team\n" + "\n".join(rows) + "\n", "utf-8")


def draw_pairs(generator: Any, teams: Any) -> Any:  # noqa: ANN401 - a numpy generator, arrays
    """Return distinct pairs of people. Some people know many, and most contacts are within a team."""
    activity = generator.pareto(2.2, PEOPLE) + 0.6
    pairs = set()
    for person in range(PEOPLE):
        for _ in range(1 + int(activity[person] * CONTACTS)):
            same = teams == teams[person] if generator.random() < WITHIN_TEAM else np.ones(PEOPLE, bool)
            chances = activity * same * (np.arange(PEOPLE) != person)
            other = int(generator.choice(PEOPLE, p=chances / chances.sum()))
            pairs.add((min(person, other), max(person, other)))
    return np.array(sorted(pairs))


def add_faults(lines: list[str], names: list[str]) -> None:
    """Add a pair of guests, a message to oneself, a pair that is listed twice, a comment and a line that is no edge."""
    lines.append("Guest One,Guest Two,3")
    lines.append(f"{names[0]},{names[0]},2")
    lines.append(",".join(reversed(lines[0].split(",")[:2])) + ",1")
    lines.insert(40, "# written by the mail gateway")
    lines.insert(80, "no edge at all")
