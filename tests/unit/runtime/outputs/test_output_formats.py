import bz2
import csv
import gzip
import hashlib
import io
import itertools
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.contract.errors import InternalError, ProgramError
from podreduce.encoding.unwritable import UnwritableError
from podreduce.outputs import PartWriter
from podreduce.outputs.compression import COMPRESSIONS
from podreduce.outputs.csv_fields import csv_field
from podreduce.outputs.fields import json_text, text_field
from podreduce.outputs.line_formats import LINE_FORMATS, text_line
from podreduce.outputs.line_output import FLUSH_BYTES, LineBody
from podreduce.storage import ObjectStore, StagedUpload, open_store
from tests.support import line_oracle
from tests.support.pairs_oracle import read_pairs

NUMBERS = itertools.count()
WritePairs = Callable[[PartWriter, list[tuple[Any, Any]]], None]
INFINITY = float("inf")

FIELDS = [
    ("word", "word", '"word"'),
    ("", "", '""'),
    ("a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e", '"a\\tb\\nc\\rd\\\\e"'),
    ('"é\u2028', '"é\u2028', '"\\"é\u2028"'),
    (1, "1", "1"),
    (-(10**40), "-1" + "0" * 40, "-1" + "0" * 40),
    (1.0, "1.0", "1.0"),
    (0.1, "0.1", "0.1"),
    (1e300, "1e+300", "1e+300"),
    (True, "true", "true"),
    (None, "null", "null"),
    (float("nan"), '"NaN"', '"NaN"'),
    (INFINITY, '"Infinity"', '"Infinity"'),
    (-INFINITY, '"-Infinity"', '"-Infinity"'),
    (b"\x00\xff", '"AP8="', '"AP8="'),
    (("a", (1, 2.5)), '["a",[1,2.5]]', '["a",[1,2.5]]'),
    ([], "[]", "[]"),
    ({"b": [INFINITY], "a": b"x"}, '{"b":["Infinity"],"a":"eA=="}', '{"b":["Infinity"],"a":"eA=="}'),
    (["tab\t"], '["tab\\t"]', '["tab\\t"]'),
    (Decimal("1.50"), "1.50", "1.50"),
    (Decimal("-1E+30"), "-1E+30", "-1E+30"),
    (Decimal("NaN"), '"NaN"', '"NaN"'),
    (date(2024, 2, 29), "2024-02-29", '"2024-02-29"'),
    (datetime(2024, 2, 29, 12), "2024-02-29T12:00:00", '"2024-02-29T12:00:00"'),  # noqa: DTZ001 - naive
    (
        datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
        "2024-07-01T12:00:00+02:00",
        '"2024-07-01T12:00:00+02:00"',
    ),
    (time(1, 2, 3, 4), "01:02:03.000004", '"01:02:03.000004"'),
    (timedelta(days=1, seconds=2, milliseconds=500), "P1DT2.5S", '"P1DT2.5S"'),
    (timedelta(), "PT0S", '"PT0S"'),
    (timedelta(days=-2), "-P2D", '"-P2D"'),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001", '"00000000-0000-0000-0000-000000000001"'),
    ([date(2024, 2, 29), Decimal(1)], '["2024-02-29",1]', '["2024-02-29",1]'),
    (np.float32(0.5), "0.5", "0.5"),
    (np.str_("a\t"), "a\\t", '"a\\t"'),
    ({np.str_("a"): np.int64(1)}, '{"a":1}', '{"a":1}'),
    (OrderedDict(a=np.True_), '{"a":true}', '{"a":true}'),
]


@pytest.mark.parametrize(("field", "text", "as_json"), FIELDS, ids=[repr(field)[:30] for field, _, _ in FIELDS])
def test_how_a_field_is_written(field: Any, text: str, as_json: str) -> None:
    assert text_field(field) == text
    assert json_text(field) == as_json


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({1, 2}, r"^set cannot be written: yield sorted\(value\)"),
        (1j, "complex"),
        (Word("a"), "Word"),
        ({1: 2}, "key 1.*str"),
        ([{"a": {None: 1}}], "key None"),
        ([object], "type cannot be written"),
    ],
)
def test_what_has_no_form_is_refused_by_name(field: Any, message: str) -> None:
    with pytest.raises(UnwritableError, match=message):
        json_text(field)


@pytest.mark.parametrize("field", [10**5000, [10**5000], {"a": 10**5000}], ids=["alone", "in a list", "in a dict"])
def test_an_int_that_python_does_not_print_is_refused(field: Any) -> None:
    with pytest.raises(UnwritableError, match=r"an int is too long .* yield hex\(value\)"):
        json_text(field)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("Infinity"), "Infinity"),
        (date(2024, 2, 29), "2024-02-29"),
        (timedelta(seconds=1), "PT1S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (np.str_("a,b"), '"a,b"'),
        ([date(2024, 2, 29)], '"[""2024-02-29""]"'),
    ],
)
def test_how_csv_writes_dates_and_decimals(field: Any, text: str) -> None:
    assert csv_field(field) == text


def test_a_list_in_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(UnwritableError, match="nested too deeply"):
        json_text(ring)


AWKWARD = st.text('aé\t\r\n\\"\x00\x1f\x7f\u2028', max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
    | st.floats()
    | st.floats(-2e-4, 2e-4)
    | st.floats(9e15, 2e16)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | AWKWARD
    | st.binary(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(AWKWARD, inner, max_size=3)
    ),
)
KEYS = [AWKWARD, st.text("ab "), st.integers(), SCALARS]
PLAIN_VALUES = [*KEYS, st.floats(), st.tuples(st.text("ab\\"), st.integers()), st.lists(st.booleans())]
PAIRS = st.lists(st.tuples(VALUES, VALUES)) | st.tuples(st.sampled_from(KEYS), st.sampled_from(PLAIN_VALUES)).flatmap(
    lambda kinds: st.lists(st.tuples(*kinds), max_size=20)
)
ORACLES = {"Text": line_oracle.text_line, "JSONLines": line_oracle.json_line}


@pytest.mark.parametrize("output_format", ORACLES)
@given(key=VALUES, value=VALUES)
def test_a_line_is_what_the_plainest_program_would_write(output_format: str, key: Any, value: Any) -> None:
    line = LINE_FORMATS[output_format]((), None).line(key, value)
    assert line == ORACLES[output_format](key, value)
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("output_format", ORACLES)
@given(pairs=PAIRS)
def test_many_pairs_are_written_as_each_of_them(output_format: str, pairs: list[tuple[Any, Any]]) -> None:
    written = written_part(output_format, lambda part: part.write_all(pairs))
    assert written == b"".join(ORACLES[output_format](key, value) for key, value in pairs)


@given(pairs=PAIRS, places=st.lists(st.floats(0, 1), max_size=3))
def test_pairs_are_written_with_their_types_however_they_are_handed_over(
    pairs: list[tuple[Any, Any]], places: list[float]
) -> None:
    def in_runs(part: PartWriter) -> None:
        cuts = [0, *sorted(round(place * len(pairs)) for place in places), len(pairs)]
        for start, end in itertools.pairwise(cuts):
            part.write_all(pairs[start:end])

    written = written_part("Pairs", lambda part: write_one_by_one(part, pairs))
    assert repr(read_pairs(written)) == repr(pairs)
    assert written_part("Pairs", in_runs) == written


@pytest.mark.parametrize(
    ("records", "size"),
    [*itertools.product([0, 1, 1023, 1024, 1025, 8191, 8192, 8193], [0, 100]), (3, 300_000)],
)
def test_frames_of_pairs_end_at_the_same_record_however_they_are_handed_over(records: int, size: int) -> None:
    pairs = [(number, bytes(size)) for number in range(records)]
    one_by_one = written_part("Pairs", lambda part: write_one_by_one(part, pairs))
    for start in (0, 1, 1000):
        both = written_part(
            "Pairs", lambda part, start=start: [part.write_all(pairs[:start]), part.write_all(pairs[start:])]
        )
        assert both == one_by_one
    assert read_pairs(one_by_one) == pairs


def test_a_value_is_written_as_it_was_when_it_was_yielded() -> None:
    value: list[Any] = []

    def grow(part: PartWriter) -> None:
        for number in range(3):
            part.write("k", value)
            value.append(number)

    assert read_pairs(written_part("Pairs", grow)) == [("k", []), ("k", [0]), ("k", [0, 1])]


@given(value=VALUES)
def test_a_line_has_one_tab_whatever_the_value(value: Any) -> None:
    assert text_line("key", value).count(b"\t") == 1


def unescape(text: str) -> str:
    escapes = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\"}
    pieces = iter(text)
    return "".join(escapes[next(pieces)] if piece == "\\" else piece for piece in pieces)


@given(key=st.text("a\t\r\n\\é"), value=st.text("b\t\r\n\\"))
def test_text_lines_read_back(key: str, value: str) -> None:
    line = text_line(key, value).decode()
    assert line[-1:] == "\n"
    assert [unescape(part) for part in line[:-1].split("\t")] == [key, value]
    assert not set("\r\n") & set(line[:-1])


CSV_FIELDS = [
    ("word", "word"),
    ("", '""'),
    (None, ""),
    ("a,b", '"a,b"'),
    ('say "a"', '"say ""a"""'),
    ("two\nlines\r", '"two\nlines\r"'),
    (1, "1"),
    (1.5, "1.5"),
    (True, "true"),
    (-INFINITY, "-Infinity"),
    (b"\x00\xff", "AP8="),
    ([1, "a"], '"[1,""a""]"'),
    ({"a": 1}, '"{""a"":1}"'),
]


@pytest.mark.parametrize(("field", "text"), CSV_FIELDS, ids=[repr(field)[:30] for field, _ in CSV_FIELDS])
def test_how_a_field_of_csv_is_written(field: Any, text: str) -> None:
    assert csv_field(field) == text


@pytest.mark.parametrize(
    ("columns", "key", "value", "row"),
    [
        ((), "k", 1, "k,1\n"),
        ((), ("a", "b"), ["c", 2], "a,b,c,2\n"),
        ((), "k", (), "k\n"),
        ((), (), (), '""\n'),
        (("time", "url", "n"), "k", ("u", 1), "time,url,n\nk,u,1\n"),
        (("url", "key"), "k", {"url": "u"}, "url,key\nu,k\n"),
        (("url", "n"), "k", {"n": 1}, "url,n\n,1\n"),
        (("key",), "k", {"key": "its own"}, "key\nits own\n"),
        ((), np.str_("k"), np.str_("a,b"), 'k,"a,b"\n'),
        ((), (), (np.str_(),), '""\n'),
        ((), (), (None,), '""\n'),
    ],
)
def test_a_row_is_the_fields_of_key_and_value(columns: tuple[str, ...], key: Any, value: Any, row: str) -> None:
    assert written_part("CSV", lambda part: part.write(key, value), columns=columns).decode() == row


@given(rows=st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2)))
def test_csv_rows_are_read_back(rows: list[list[str]]) -> None:
    written = written_part("CSV", lambda part: part.write_all([(first, rest) for first, *rest in rows]))
    assert [*csv.reader(io.StringIO(written.decode(), newline=""))] == rows


@pytest.mark.parametrize(
    ("output_format", "options", "value", "message"),
    [
        ("CSV", {}, {"a": 1}, "key 'k' cannot be written: a dict has no order of columns"),
        ("CSV", {"columns": ("a",)}, {"b": 1}, "the field 'b', which is not in output.columns: a"),
        ("CSV", {"columns": ("a",)}, 1, "it has 2 fields, but output.columns names 1"),
        ("CSV", {}, [{1: 2}], "has the key 1"),
        ("FixedLength", {}, b"", "this is str: yield bytes, bytes"),
        pytest.param("Text", {}, 10**5000, "an int is too long", id="int-too-long"),
        ("Parquet", {}, {1}, "set cannot be written"),
        ("Pairs", {}, {1}, r"key 'k' cannot be written: set cannot be a value: yield sorted\(value\)"),
        ("Pairs", {}, [Word("a")], r"key 'k' cannot be written: .*Word cannot be a value: yield str\(value\)"),
    ],
)
def test_what_a_format_has_no_place_for_is_the_programs_error(
    output_format: str, options: dict[str, Any], value: Any, message: str
) -> None:
    for write in (lambda part: part.write("k", value), lambda part: part.write_all([("k", value)])):
        with pytest.raises(ProgramError, match=message):
            written_part(output_format, write, **options)


def fixed_oracle(record_length: int | None, pairs: list[tuple[Any, Any]]) -> bytes | str:
    written = b""
    for key, value in pairs:
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            return "bytes"
        if record_length is not None and len(key + value) != record_length:
            return f"{len(key + value)} byte"
        written += key + value
    return written


FIXED_FIELDS = st.binary(max_size=2) | st.binary(max_size=2).map(np.bytes_)


@given(
    pairs=st.lists(st.tuples(FIXED_FIELDS, FIXED_FIELDS), max_size=3)
    | st.lists(st.tuples(FIXED_FIELDS | st.just("a"), FIXED_FIELDS | st.just(1)), max_size=3),
    record_length=st.none() | st.integers(0, 3),
)
@example(pairs=[(b"a", np.bytes_(b"b"))], record_length=2)
@example(pairs=[(b"a", b"b"), (b"c", b"")], record_length=None)
def test_fixed_length_is_the_bytes_of_key_and_value(pairs: list[tuple[Any, Any]], record_length: int | None) -> None:
    expected = fixed_oracle(record_length, pairs)
    for write in (write_one_by_one, write_at_once):
        if isinstance(expected, bytes):
            assert written_part("FixedLength", partial(write, pairs=pairs), record_length=record_length) == expected
        else:
            with pytest.raises(ProgramError, match=expected):
                written_part("FixedLength", partial(write, pairs=pairs), record_length=record_length)


def test_a_record_of_another_length_is_named() -> None:
    for write in (lambda part: part.write_all([(b"ab", b"1"), (b"x", b"")]), lambda part: part.write(b"x", b"")):
        with pytest.raises(ProgramError, match=r"key b'x' .* 1 byte together, but output.recordLength is 3"):
            written_part("FixedLength", write, record_length=3)


def written_part(output_format: str, write: Callable[[PartWriter], object], **options: Any) -> bytes:
    store = open_store(f"memory://output-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), output_format, **options) as part:
        write(part)
    data = store.get("part")
    assert part.part_ref().sha256 == hashlib.sha256(data).hexdigest()
    assert part.part_ref().bytes == len(data)
    return data


@pytest.fixture
def store() -> ObjectStore:
    return open_store(f"memory://output-{next(NUMBERS)}/")


def write_one_by_one(part: PartWriter, pairs: list[tuple[Any, Any]]) -> None:
    for key, value in pairs:
        part.write(key, value)


def write_at_once(part: PartWriter, pairs: list[tuple[Any, Any]]) -> None:
    part.write_all(pairs)


@pytest.mark.parametrize("write", [write_one_by_one, write_at_once])
@pytest.mark.parametrize("records", [0, 1, 4095, 4096, 4097, 400_000])
def test_a_part_knows_its_digest_records_and_bytes(store: ObjectStore, records: int, write: WritePairs) -> None:
    with PartWriter(StagedUpload(store, "staged/part", "published"), "JSONLines") as part:
        write(part, [(str(number), number) for number in range(records)])
        assert part.records == records
    data = store.get("staged/part")
    assert part.part_ref().sha256 == hashlib.sha256(data).hexdigest()
    assert (part.part_ref().bytes, part.part_ref().records) == (len(data), records)
    assert part.part_ref().key == "staged/part"
    assert data.count(b"\n") == records


DECOMPRESS = {
    "None": bytes,
    "Gzip": gzip.decompress,
    "Bzip2": bz2.decompress,
    "Zstd": lambda data: pa.input_stream(pa.BufferReader(data), compression="zstd").read(),
}


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
def test_lines_wait_until_they_make_a_block(size: int) -> None:
    sent: list[bytes] = []
    body = LineBody(SimpleNamespace(write=sent.append), LINE_FORMATS["Text"]((), None))
    for number in range(1, 3 * FLUSH_BYTES // size + 5):
        body.write("", "v" * (size - 2))
        waiting = number * size - sum(map(len, sent))
        assert 0 <= waiting < FLUSH_BYTES
        assert body.records == number
    assert all(len(block) >= FLUSH_BYTES for block in sent)
    body.finish()
    assert sum(map(len, sent)) == number * size


@pytest.mark.parametrize("records", [0, 1, 300_000])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_part_reads_back_and_is_the_same_each_time(compression: str, records: int) -> None:
    pairs = [(number, number) for number in range(records)]
    first = written_part("Text", lambda part: part.write_all(pairs), compression=compression)
    assert DECOMPRESS[compression](first) == b"".join(text_line(*pair) for pair in pairs)
    assert written_part("Text", lambda part: part.write_all(pairs), compression=compression) == first
    assert written_part("Text", lambda part: write_one_by_one(part, pairs), compression=compression) == first


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (("k", {1}), "key 'k'.*set"),
        (("k", "\ud800"), "key 'k'.*lone surrogate"),
        (("\udcff", 1), "'.udcff'.*lone surrogate"),
    ],
)
@pytest.mark.parametrize("output_format", ["Text", "JSONLines", "CSV", "Parquet"])
@pytest.mark.parametrize("write", [write_one_by_one, write_at_once])
def test_a_record_that_cannot_be_written_is_the_programs_error(
    store: ObjectStore, write: WritePairs, output_format: str, record: tuple[Any, Any], message: str
) -> None:
    with (
        pytest.raises(ProgramError, match=message),
        PartWriter(StagedUpload(store, "part", "published"), output_format) as part,
    ):
        write(part, [("a", None), record])
    assert not store.exists("part")


@pytest.mark.parametrize("output_format", ["Text", "JSONLines", "CSV", "Parquet"])
def test_an_error_among_many_pairs_names_its_own_record(store: ObjectStore, output_format: str) -> None:
    with (
        pytest.raises(ProgramError) as caught,
        PartWriter(StagedUpload(store, "part", "published"), output_format) as part,
    ):
        part.write_all([("a", "x"), ("b", "\ud800"), ("c", "x")])
    assert caught.value.record == "key 'b'"


def test_an_unknown_format_is_our_error(store: ObjectStore) -> None:
    with pytest.raises(InternalError, match="Avro"):
        PartWriter(StagedUpload(store, "part", "published"), "Avro")
