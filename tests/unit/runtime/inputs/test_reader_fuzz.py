"""Damaged objects of every input format: what comes out is records, bad records, or an error that names the object.

Small sound objects are made, then damaged: cut short, spliced with others, bits flipped, bytes put in, in UTF-16,
nested deep, made long. Never another exception than InputError, never a line that is neither a record nor a bad one,
and an end within seconds.
"""

import bz2
import gzip
import io
import random
import time
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputColumn, InputOptions
from podreduce.inputs import infer_columns
from podreduce.storage import open_store
from tests.support.pairs_oracle import HEAD, write_pairs
from tests.support.reading import Found, collect, iter_blocks
from tests.support.searching import seeds

STORE = open_store("memory://reader-fuzz/")
MOST_SECONDS: Final = 30
"""Of the processor's time: far more than any takes, and less than a reader that does not end."""

TEXT = "one\r\nzwei drei\n\n日本\ttab\nlast".encode()
JSON = (
    b'{"id":1,"name":"a","at":[1,2.5],"o":{"x":true}}\n{"id":2,"name":"\xc3\xa9\\n","at":[],"o":{}}\n\n'
    b'{"id":3,"name":null,"at":null,"o":{"x":null}}\r\n{"id":-0,"name":"\\ud83d\\ude00","at":[1e5],"o":{"x":false}}\n'
)
CSV = b'id,name,note\n1,a,"x, ""y"""\r\n2,\xc3\xa9,\n\n"3","",z\n'
SCHEMA = tuple(
    InputColumn(name=name, type=kind)
    for name, kind in {"id": "int64", "name": "string", "at": "list<double>", "o": "struct<x: boolean>"}.items()
)
PAIRS = write_pairs([("a", 1), (b"b", (2.5, None)), (("c", 3), {"d": [HEAD + b"\1"]}), (None, "é")], frame_records=2)


def parquet() -> bytes:
    """A file with most kinds of columns, two row groups and a filter's statistics."""
    table = pa.table(
        {
            "n": pa.array([1, None, 3, 4], pa.int64()),
            "x": [0.5, float("nan"), -0.0, None],
            "s": pa.array(["a", "é", None, "a"]).dictionary_encode(),
            "b": [b"\x00", b"", None, b"\xff"],
            "t": pa.array([0, 10**18, None, 1], pa.timestamp("ns")),
            "d": pa.array([1, 2, None, 10**6], pa.date32()),
            "l": pa.array([["p"], [], None, ["q", None]], pa.list_(pa.string())),
            "o": [{"u": 1}, {"u": None}, None, {"u": 2}],
            "flag": [True, False, None, True],
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2, use_dictionary=["s"])
    return sink.getvalue()


OBJECTS: dict[str, tuple[str, bytes, str, dict[str, Any]]] = {
    "text": ("a", TEXT, "Text", {}),
    "text, gzip": ("a.gz", gzip.compress(TEXT), "Text", {}),
    "text, bzip2": ("a.bz2", bz2.compress(TEXT), "Text", {}),
    "text, zstd": ("a.zst", bytes(pa.Codec("zstd").compress(TEXT, asbytes=True)), "Text", {}),
    "json": ("a", JSON, "JSONLines", {}),
    "json, declared": ("a", JSON, "JSONLines", {"schema": SCHEMA}),
    "json, declared in part": ("a", JSON, "JSONLines", {"schema": SCHEMA[:2], "unknown_fields": "Ignore"}),
    "csv": ("a", CSV, "CSV", {}),
    "csv without a header": ("a", CSV, "CSV", {"csv_header": False}),
    "csv, multiline": ("a", CSV, "CSV", {"csv_multiline": True}),
    "fixed length": ("a", TEXT[:20], "FixedLength", {"record_length": 4, "key_length": 1}),
    "whole object, gzip": ("a.gz", gzip.compress(TEXT), "WholeObject", {}),
    "parquet": ("a", parquet(), "Parquet", {}),
    "pairs": ("a", PAIRS, "Pairs", {}),
    "pairs, gzip": ("a.gz", gzip.compress(PAIRS), "Pairs", {}),
}
TOKENS: Final = [
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b'"',
        b'""',
        b",",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\\",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b'{"id":1}',
        b'{"id":"x"}',
        b'{"z":1}\n',
        b"1e400",
        b"-0",
        b"9" * 30,
        b"\xed\xa0\x80",
        b"\xe2\x80\xa8",
        b"PAR1",
        HEAD + b"\1",
    ),
    *(b"[" * 3000, b'{"a":' * 3000, b"x" * 200_000, b"7" * 5000, b'"' * 1001),
]


def damage(data: bytes, chance: random.Random) -> bytes:
    """Return `data` damaged in one to three ways."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(DAMAGES)(data, chance)
    return data


def cut_short(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def splice(data: bytes, chance: random.Random) -> bytes:
    _, other, _, _ = chance.choice(list(OBJECTS.values()))
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if damaged:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def put_in(data: bytes, chance: random.Random) -> bytes:
    place = chance.randint(0, len(data))
    return data[:place] + chance.choice(TOKENS) + data[place + chance.choice([0, 0, 1, 5]) :]


def recode(data: bytes, chance: random.Random) -> bytes:
    return data.decode("latin-1").encode(chance.choice(["utf-16", "utf-16-be", "utf-8", "utf-8-sig"]))


DAMAGES: Final[list[Callable[[bytes, random.Random], bytes]]] = [
    cut_short,
    splice,
    flip_bits,
    flip_bits,
    put_in,
    put_in,
    put_in,
    recode,
]


def read(case: tuple[str, bytes, str, dict[str, Any]], data: bytes, chance: random.Random, as_columns: bool) -> Found:
    """Read a damaged object in some pieces."""
    name, _, input_format, options = case
    if input_format == "JSONLines" and "schema" not in options:
        options = {"schema": infer_columns(data.split(b"\n"))}
    is_whole = "." in name or input_format == "WholeObject" or "csv_multiline" in options
    blocks = iter_blocks(
        STORE,
        name,
        data,
        input_format=input_format,
        options=InputOptions(**options),
        encoding_errors=chance.choice(["Strict", "Replace"]),
        cuts=[] if is_whole else [chance.randint(0, len(data)) for _ in range(chance.randint(0, 4))],
        block_bytes=chance.choice([1 << 16, 1 << 20] if is_whole else [1, 20, 1 << 20]),  # some damage unpacks to 1 MB
    )
    return collect(blocks, as_columns=as_columns)


def count_lines(name: str, data: bytes) -> int | None:
    """How many records and bad records there must be, None where only a reader knows."""
    _, _, input_format, options = OBJECTS[name]
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if "," in name and input_format == "Text":
        return None
    if input_format == "Text":
        return len(lines) - (not lines[-1])
    if input_format == "JSONLines":
        return sum(bool(line.strip()) for line in lines)
    if input_format == "CSV" and "csv_multiline" not in options:
        first = int(options.get("csv_header", True))
        return sum(bool(line.removesuffix(b"\r")) for line in lines[first:])
    return None


@pytest.mark.parametrize("name", OBJECTS)
def test_a_damaged_object_gives_records_bad_records_or_an_error_that_names_it(name: str) -> None:
    case = OBJECTS[name]
    for number in seeds(40):
        seed = f"{name} {number}"
        chance = random.Random(seed)  # noqa: S311 - no secret
        data = damage(case[1], chance)
        started = time.process_time()
        try:
            found = read(case, data, chance, as_columns=bool(number % 2))
        except InputError as error:
            told = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the case must be told
            pytest.fail(f"{seed}: {type(error).__name__}: {error} for {data[:2000]!r}")
        else:
            told = None
            expected = count_lines(name, data)
            assert expected in (None, len(found.records) + len(found.bad)), f"{seed}: {data!r}"
            assert found.stored_bytes == len(data), f"{seed}: {data!r}"
        assert time.process_time() - started < MOST_SECONDS, f"{seed}: {data!r}"
        assert told is None or STORE.uri_of(case[0]) in told, f"{seed}: {told}"
