"""The work in polars' lazy frames, streamed, with two threads.

usage: polars_frames.py wordcount|log SOURCE TARGET
"""

import os
import sys
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "2"

import polars as pl

work, source, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])

if work == "wordcount":
    lines = pl.scan_csv(f"{source}/*", has_header=False, separator="\x01", quote_char=None, new_columns=["line"])
    counts = lines.select(pl.col("line").str.split(" ").explode()).group_by("line").len()
else:
    columns = ["timestamp", "url", "status", "milliseconds"]
    counts = pl.scan_csv(f"{source}/*", has_header=False, new_columns=columns).group_by("timestamp", "url").len()
target.mkdir()
counts.sink_csv(target / "part-0", separator="\t", include_header=False)
