"""The work in dask's bags, in two processes.

usage: dask_bag.py wordcount|log SOURCE TARGET
"""

import sys
from pathlib import Path

import dask
import dask.bag

work, source, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def cut_log_line(line: str) -> str:
    timestamp, url, _ = line.split(",", 2)
    return f"{timestamp}\t{url}"


def main() -> None:
    dask.config.set(scheduler="processes", num_workers=2)
    lines = dask.bag.read_text(f"{source}/*", blocksize="16MB")
    keys = lines.str.split().flatten() if work == "wordcount" else lines.map(cut_log_line)
    counts = keys.frequencies(split_every=8).compute()
    target.mkdir()
    with (target / "part-0").open("w") as output:
        output.writelines(f"{key}\t{count}\n" for key, count in counts)


if __name__ == "__main__":
    main()
