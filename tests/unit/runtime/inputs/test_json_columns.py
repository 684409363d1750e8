"""JSON as columns: one schema for the whole job, Arrow and the row path accept the same, what does not fit is named."""

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputColumn, InputOptions, Piece
from podreduce.inputs import infer_columns, read_records
from podreduce.inputs.blocks import Block
from podreduce.inputs.json_columns import declared_columns
from podreduce.inputs.json_documents import decode_objects
from podreduce.inputs.json_lines import json_records, parse_each_line
from podreduce.storage import open_store
from tests.support.reading import salvage
from tests.support.searching import tries
from tests.support.task_runs import TaskRun

STORE = open_store("memory://json/")
EXAMPLES = tries(300)
"""How many cases each search here tries; set it higher to search for longer."""


def columns(**types: str) -> tuple[InputColumn, ...]:
    return tuple(InputColumn(name=name, type=kind) for name, kind in types.items())


def block_of(data: bytes) -> Block:
    return Block(offset=0, data=data, stored_bytes=len(data))


def read(
    data: bytes, options: InputOptions, *, cuts: Sequence[int] = (), block_bytes: int = 1 << 20
) -> list[dict[str, Any]]:
    """The rows of all batches, which must all have one schema."""
    plan = TaskRun(plan_changes={"input_format": "JSONLines", "input_options": options}).plan
    STORE.put("a", data)
    rows, schemas = [], set()
    for start, end in itertools.pairwise([0, *sorted(cuts), len(data)]):
        piece = Piece(uri=STORE.uri_of("a"), start=start, end=end, object_bytes=len(data))
        for block in read_records(plan, STORE, "a", piece, block_bytes=block_bytes):
            batch = block.to_arrow()
            schemas.add(batch.schema.to_string())
            rows += batch.to_pylist()
    assert len(schemas) <= 1
    return rows


TOKENS = st.sampled_from(
    [
        *("{", "}", "[", "]", ":", ",", "\n", "\r\n", "\r", " ", "\t", "null", "true", "NaN", "Infinity", "-0", "-0.0"),
        *(
            "1",
            "2.5",
            "1e400",
            "-1e400",
            "1e2",
            "01",
            "1.",
            "9223372036854775808",
            "9007199254740993",
            "1e16",
            "\ufeff",
        ),
        *('{"a":1}', '{"a":2}\n', '"a"', '"s"', '"é"', '"\\ud800"', '"\\u0000"', '"\x00"', '"\x01"', "\x0b", "\u2028"),
        *(
            '"x\\"y"',
            '{"a":1,"a":2}\n',
            '{"s":"t"}\n',
            '{"d":1}\n',
            '{"l":[1,null]}\n',
            '{"o":{"x":1}}\n',
            "{}\n",
            '"b',
        ),
    ]
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.none() | st.integers(-(2**64), 2**64) | st.sampled_from([-0.0, 1.0, "1", True]),
        "s": st.none() | st.text(max_size=4) | st.just(1),
        "d": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60),
        "l": st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=3) | st.just([2.5]),
        "o": st.none() | st.fixed_dictionaries({}, optional={"x": st.integers(0, 9), "y": st.booleans()}),
        "z": st.just(5),
    },
)
LINES = st.lists(RECORDS.map(json.dumps) | st.lists(TOKENS, max_size=6).map("".join), max_size=6).map("\n".join)
SCHEMAS = st.sampled_from(
    [
        columns(a="int64", s="string", d="double", l="list<int64>", o="struct<x: int64, y: boolean>"),
        columns(a="double", s="string", d="double", l="list<double>", o="struct<x: double>"),
        columns(a="json", s="json", d="json", l="json", o="json"),
        columns(a="null", o="struct<>"),
        (),
    ]
)


def outcome(read_it: Any) -> Any:
    """What comes out, so that unlike doubles (0.0 and -0.0) and types differ; an error as its message."""
    try:
        found = read_it()
    except InputError as error:
        return str(error)
    return found if isinstance(found, str) else repr((found.schema, found.num_rows, found.to_pylist()))


@settings(max_examples=EXAMPLES)
@given(LINES, st.sampled_from([b"", b"\xff", b"\xed\xa0\x80"]), SCHEMAS, st.sampled_from(["Fail", "Ignore"]))
def test_what_arrow_reads_at_once_is_what_is_read_line_by_line(
    text: str, noise: bytes, schema: tuple[InputColumn, ...], unknown_fields: str
) -> None:
    data, errors = text.encode() + noise, "strict"
    options = InputOptions(schema=schema, unknown_fields=unknown_fields)
    at_once = declared_columns(options).read_at_once(data)
    by_line = salvage(json_records(block_of(data), "a", options, errors=errors), as_columns=True)
    if at_once is not None:
        assert not by_line.bad
        assert outcome(lambda: at_once) == outcome(by_line.block.to_arrow)
    elif not by_line.bad:
        assert outcome(json_records(block_of(data), "a", options, errors=errors).to_arrow) == outcome(
            by_line.block.to_arrow
        )
    else:
        assert outcome(json_records(block_of(data), "a", options, errors=errors).to_arrow) in [
            str(bad.error) for bad in by_line.bad
        ]


@settings(max_examples=EXAMPLES)
@given(LINES, st.sampled_from([b"", b"\xff"]))
def test_documents_decoded_together_are_those_of_the_lines(text: str, noise: bytes) -> None:
    data = text.encode() + noise
    together = decode_objects(data)
    if together is not None:
        assert repr(together) == repr(parse_each_line(block_of(data), "a", "strict"))


def test_what_sound_data_look_like_is_read_at_once() -> None:
    data = b'{"a":1,"s":"x"}\n{"a":2}\r\n{"s":"\xc3\xa9"}'
    assert decode_objects(data) is not None
    assert declared_columns(InputOptions(schema=columns(a="int64", s="string"))).read_at_once(data) is not None


@settings(max_examples=EXAMPLES // 3)
@given(
    st.lists(RECORDS, max_size=12),
    st.lists(st.floats(0, 1), max_size=8),
    st.sampled_from([1, 10, 100, 10_000]),
)
def test_columns_do_not_depend_on_where_blocks_and_pieces_fall(
    records: list[dict[str, Any]], places: list[float], block_bytes: int
) -> None:
    data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    options = InputOptions(schema=infer_columns(data.split(b"\n")))

    def rows(cuts: list[int], block_bytes: int) -> Any:
        try:
            return repr(read(data, options, cuts=cuts, block_bytes=block_bytes))
        except InputError as error:
            return str(error)

    assert rows([round(place * len(data)) for place in places], block_bytes) == rows([], 1 << 20)


@given(st.lists(RECORDS, max_size=12))
def test_every_record_of_a_sample_has_its_place_or_is_bad(records: list[dict[str, Any]]) -> None:
    data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    options = InputOptions(schema=infer_columns(data.split(b"\n")))
    salvaged = salvage(json_records(block_of(data), "a", options, errors="strict"), as_columns=True)
    rows, keys = salvaged.block.to_arrow().to_pylist(), list(salvaged.block.keys())
    assert len(rows) + len(salvaged.bad) == len(records)
    sound = [json.loads(data[key:].split(b"\n")[0]) for key in keys]
    for record, row in zip(sound, rows, strict=True):
        assert {name for name, value in row.items() if value is not None} <= record.keys()
        assert all(row[name] is None for name, value in record.items() if value is None)


TYPES = {
    "ints": ([b'{"x":1}', b'{"x":-2}'], "int64"),
    "an int among doubles": ([b'{"x":1}', b'{"x":2.5}', b'{"x":1}'], "double"),
    "most are strings": ([b'{"x":1}', b'{"x":"a"}', b'{"x":"b"}'], "string"),
    "as many of each: the first": ([b'{"x":"a"}', b'{"x":1}'], "string"),
    "nulls do not count": ([b'{"x":null}', b'{"x":null}', b'{"x":true}'], "boolean"),
    "nothing but nulls": ([b'{"x":null}'], "null"),
    "ints over 64 bits": ([b'{"x":9223372036854775808}'], "json"),
    "lists": ([b'{"x":[]}', b'{"x":[1,null]}', b'{"x":[2.5]}'], "list<double>"),
    "empty lists": ([b'{"x":[]}'], "list<null>"),
    "objects": ([b'{"x":{"b":1}}', b'{"x":{"a b":[{}]}}'], 'struct<b: int64, "a b": list<struct<>>>'),
    "objects that are maps": ([json.dumps({"x": dict.fromkeys(map(str, range(251)), 1)}).encode()], "json"),
    "what is no object is left out": ([b"[1]", b'{"x":', b"\xff", b'{"x":1}', b""], "int64"),
}


@pytest.mark.parametrize(("lines", "expected"), TYPES.values(), ids=TYPES)
def test_a_field_has_the_type_of_most_records(lines: list[bytes], expected: str) -> None:
    assert infer_columns(lines) == columns(x=expected)


def test_a_thousand_columns_are_taken() -> None:
    record = {f"f{number}": number for number in range(1001)}
    found = infer_columns([json.dumps(record).encode()])
    assert [column.name for column in found] == list(record)[:1000]


def test_what_nests_deep_becomes_json() -> None:
    deep = b'{"x":' + b"[" * 20 + b"]" * 20 + b"}"
    options = InputOptions(schema=infer_columns([deep]))
    assert options.schema is not None
    assert "json" in options.schema[0].type
    assert len(read(deep, options)) == 1


MISFITS = {
    "another type": (
        b'{"a":1}\n{"a":"x"}\n',
        columns(a="int64"),
        "byte 8 has string in the field a, whose column is int64",
    ),
    "a fraction": (b'{"a":1.5}', columns(a="int64"), "byte 0 has double in the field a, whose column is int64"),
    "too large": (b'{"a":9223372036854775808}', columns(a="int64"), "byte 0 has json in the field a"),
    "no exact double": (
        b'{"a":9007199254740993}',
        columns(a="double"),
        "byte 0 has int64 in the field a, whose column",
    ),
    "within": (
        b'{"o":{"l":[1,true]}}',
        columns(o="struct<l: list<int64>>"),
        r"boolean in the field o\.l\.\[\], whose column is int64",
    ),
    "unknown": (
        b'{"a":1}\n\n{"b c":[1]}',
        columns(a="int64"),
        r'byte 9 has the field b c \(list<int64>\), which is not a column .* as "b c": list<int64>, or set .*Ignore',
    ),
    "no object": (b'{"a":1}\n7\n', columns(a="int64"), "the line at byte 8 is not an object"),
    "no type": (b"{}", columns(a="text"), "input.schema: the type of the column 'a' cannot be read"),
}


@pytest.mark.parametrize(("data", "schema", "message"), MISFITS.values(), ids=MISFITS)
def test_a_record_that_does_not_fit_is_named(data: bytes, schema: tuple[InputColumn, ...], message: str) -> None:
    with pytest.raises(InputError, match=rf"memory://json/a: .*{message}"):
        read(data, InputOptions(schema=schema))


def test_fields_that_are_no_columns_can_be_left_out_at_any_depth() -> None:
    options = InputOptions(schema=columns(o="struct<a: int64>"), unknown_fields="Ignore")
    for data in (b'{"o":{"a":1,"b":2},"c":3}\n', b'{"o":{"a":1,"b":2},"c":3}\n\n{}\n'):
        assert read(data, options)[0] == {"o": {"a": 1}}


def test_json_columns_hold_any_value_as_its_text() -> None:
    data = b'{"x":{"b": [1, null]}}\n{"x":123456789012345678901234567890}\n{"x":null}\n{"x":"\xc3\xa9"}\n{}\n'
    expected = ['{"b":[1,null]}', "123456789012345678901234567890", None, '"é"', None]
    assert [row["x"] for row in read(data, InputOptions(schema=columns(x="json")))] == expected


def test_records_without_fields_are_records() -> None:
    assert read(b"{}\n{}\n\n{}", InputOptions(schema=())) == [{}] * 3
    assert read(b"{}\n{}\n\n{}", InputOptions()) == [{}] * 3


def test_a_plan_without_columns_takes_all_that_a_block_has() -> None:
    data = b'{}\n{"user":"b","price":3}\n{"price":2.5}\n'
    assert read(data, InputOptions()) == [
        {"user": None, "price": None},
        {"user": "b", "price": 3.0},
        {"user": None, "price": 2.5},
    ]


@pytest.mark.parametrize("between", [b"null", b" null ", b"\nnull\n"])
def test_a_null_between_records_is_no_record_and_ends_no_process(between: bytes) -> None:
    with pytest.raises(InputError, match=r"is not (JSON|an object)"):
        read(b'{"a":1}' + between + b'{"a":2}\n', InputOptions(schema=columns(a="int64")))


def test_ints_and_doubles_of_one_column_are_doubles_in_every_block() -> None:
    batches = read(b'{"a":1}\n{"a":-0}\n{"a":2.5}\n', InputOptions(schema=columns(a="double")), block_bytes=1)
    assert [math.copysign(1, row["a"]) for row in batches] == [1, 1, 1]
    assert pa.types.is_float64(declared_columns(InputOptions(schema=columns(a="double"))).schema.field("a").type)


def test_bytes_that_are_no_utf_8_are_replaced_where_the_job_says_so() -> None:
    data = b'{"s":"a\xff"}\n\n{"s":"\xe2\x80"}\n{"s":"b"}\n'
    block = json_records(block_of(data), "a", InputOptions(schema=infer_columns(data.split(b"\n"))), errors="replace")
    expected = [{"s": "a\ufffd"}, {"s": "\ufffd"}, {"s": "b"}]
    assert (list(block.keys()), block.values) == ([0, 12, 23], expected)
    assert block.to_arrow().to_pylist() == expected
    assert salvage(block, as_columns=True).block.keys() == [0, 12, 23]
