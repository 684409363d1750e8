"""What the jobs must give, computed by other means than podreduce: a Counter, and duckdb over the same bytes."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from tests.e2e.corpus import access_log, decompressed, real_text

__all__ = [
    "count_urls_by_timestamp",
    "count_words",
    "parse_text_output",
    "read_urls_by_timestamp",
    "read_words",
    "sum_milliseconds_by_url",
]

ESCAPES = {"\\t": "\t", "\\r": "\r", "\\n": "\n", "\\\\": "\\"}


@cache
def count_words() -> Counter[str]:
    """Count the words of the corpus."""
    words: Counter[str] = Counter()
    for data in decompressed(real_text()):
        for line in data.decode().split("\n"):
            words.update(line.split())
    return words


@cache
def count_urls_by_timestamp() -> Counter[tuple[str, str]]:
    """Count each url of each timestamp, by duckdb."""
    rows = ask_access_log("select column0, column1, count(*) from log group by all")
    return Counter({(timestamp, url): count for timestamp, url, count in rows})


@cache
def sum_milliseconds_by_url() -> dict[str, int]:
    """Add up the milliseconds of each url, by duckdb."""
    return dict(ask_access_log("select column1, sum(column3::bigint)::bigint from log group by all"))


def ask_access_log(query: str) -> list[tuple[Any, ...]]:
    """Return what duckdb answers to a query over the table `log`, whose columns are texts."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "log.csv"
        path.write_bytes(b"\n".join(data.removesuffix(b"\n") for data in decompressed(access_log()) if data))
        log = f"with log as (from read_csv('{path}', header=false, all_varchar=true)) "
        return duckdb.execute(log + query).fetchall()


def parse_text_output(parts: list[bytes]) -> list[tuple[str, str]]:
    """Return the records of Text output, unescaped by a reader of the tests' own; a duplicate key is kept twice."""
    lines = [line for part in parts for line in part.decode().split("\n") if line]
    return [(unescape(key), unescape(value)) for key, value in (line.split("\t") for line in lines)]


def read_words(parts: list[bytes]) -> Counter[str]:
    """Read the word count's output; a word that stands twice is an error."""
    records = parse_text_output(parts)
    words = Counter({key: int(value) for key, value in records})
    assert len(words) == len(records), "a key was reduced twice"
    return words


def read_urls_by_timestamp(parts: list[bytes]) -> Counter[tuple[str, str]]:
    """Read the log analysis' output: each value is `[url, count]`."""
    pairs = [(timestamp, *json.loads(value)) for timestamp, value in parse_text_output(parts)]
    urls = Counter({(timestamp, url): count for timestamp, url, count in pairs})
    assert len(urls) == len(pairs), "a key was reduced twice"
    return urls


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    result, position = [], 0
    while position < len(text):
        pair = text[position : position + 2]
        result.append(ESCAPES.get(pair, text[position]))
        position += 2 if pair in ESCAPES else 1
    return "".join(result)
