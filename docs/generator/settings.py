"""docs/operations.md: the chart's settings with the comments above them."""

import re
from collections.abc import Iterator

from docs.generator.tables import ROOT, clean, table


def list_chart_settings() -> str:
    """Return the chart's settings with the comments above them."""
    text = (ROOT / "charts" / "podreduce" / "values.yaml").read_text(encoding="utf-8")
    return table(("setting", "default", "what it does"), *iter_settings(text.split("\n")))


def iter_settings(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield path, default and comment of each key."""
    path: list[str] = []
    comment: list[str] = []
    for line in lines:
        found = re.fullmatch(r"(?P<indent> *)(?P<key>\w+): ?(?P<value>.*)", line)
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip("# "))
        elif found is None:
            comment = []
        else:
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            yield f"`{'.'.join(path)}`", f"`{found['value']}`" if found["value"] else "", clean(" ".join(comment))
            comment = []
