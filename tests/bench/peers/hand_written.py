"""The work by hand: a Counter per file, in two processes, folded in the parent.

usage: hand_written.py wordcount|log SOURCE TARGET
"""

import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

work, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


def count_words(path: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    with path.open() as lines:
        for line in lines:
            counts.update(line.split())
    return counts


def count_visits(path: Path) -> Counter[str]:
    counts: Counter[tuple[str, str]] = Counter()
    with path.open() as lines:
        for line in lines:
            fields = line.split(",", 2)
            counts[fields[0], fields[1]] += 1
    return Counter({f"{timestamp}\t{url}": count for (timestamp, url), count in counts.items()})


def main() -> None:
    total: Counter[str] = Counter()
    with Pool(2) as pool:
        count = count_words if work == "wordcount" else count_visits
        for counts in pool.imap_unordered(count, sorted(source.iterdir())):
            total.update(counts)
    target.mkdir()
    with (target / "part-0").open("w") as output:
        output.writelines(f"{key}\t{number}\n" for key, number in total.items())


if __name__ == "__main__":
    main()
