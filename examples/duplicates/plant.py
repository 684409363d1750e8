"""Writes texts in which copies are hidden: `python examples/duplicates/plant.py DIRECTORY`.

Its texts are passages of the books of examples/wordcount, in files of JSON lines with `id` and `text`. Beside each fifth
of them lie two copies, in which some words are others. The names of the texts do not tell copies from originals.
"""

import json
import random
import sys
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

BOOKS = Path(__file__).parents[1] / "wordcount" / "books"
WORDS = 80
COPIED = 5
COPIES = 2
MOST_CHANGED = 6
FILES = 3


def main() -> None:
    """Write the files."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True)
    lines = sorted(json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in plant())
    for number in range(FILES):
        (directory / f"texts-{number}.jsonl").write_text("".join(f"{line}\n" for line in lines[number::FILES]))


def plant(seed: int = 7) -> Iterator[tuple[str, str]]:
    """Yield the name and the words of each text."""
    chance = random.Random(seed)  # noqa: S311 - the same texts each time
    words = [word for path in sorted(BOOKS.iterdir()) for word in path.read_text().split()]
    for number, start in enumerate(range(0, len(words), WORDS)):
        passage = words[start : start + WORDS]
        texts = [passage] + [change(passage, words, chance) for _ in range(COPIES if number % COPIED == 0 else 0)]
        for copy, text in enumerate(texts):
            yield blake2b(f"{number} {copy}".encode(), digest_size=4).hexdigest(), " ".join(text)


def change(passage: list[str], words: list[str], chance: random.Random) -> list[str]:
    """Return a passage in which some words are others."""
    changed = list(passage)
    for _ in range(chance.randint(0, MOST_CHANGED)):
        changed[chance.randrange(len(changed))] = chance.choice(words)
    return changed


if __name__ == "__main__":
    main()
