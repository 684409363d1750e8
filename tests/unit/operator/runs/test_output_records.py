import random
import uuid
from typing import Any

import pytest

from podreduce.contract.errors import InputError
from podreduce.encoding.codec import encode_value
from podreduce.encoding.pair_frames import pack_pairs
from podreduce.outputs.line_formats import json_line, text_line
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.runs.output_records import iter_records, read_table
from tests.support.searching import seeds

CHARACTERS = 'a\\tnr\t\n\r é="{0'


def write_part(name: str, data: bytes) -> ObjectStore:
    store = open_store(f"memory://{uuid.uuid4().hex}/")
    store.put(name, data)
    store.put("_SUCCESS", b"")
    return store


def test_text_comes_back_as_it_was_yielded() -> None:
    for seed in seeds(300):
        chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
        pairs = [tuple("".join(chance.choices(CHARACTERS, k=chance.randrange(6))) for _ in "kv") for _ in range(3)]
        output = write_part("part-r-00000.txt", b"".join(text_line(*pair) for pair in pairs))
        assert list(iter_records(output)) == pairs


@pytest.mark.parametrize("key", [1, 1.5, "a\tb", None, True])
@pytest.mark.parametrize("value", [2, "2", [1, 2], {"a": 1}])
def test_json_lines_keep_numbers_apart_from_texts(key: Any, value: Any) -> None:
    output = write_part("part-r-00000.jsonl", json_line(key, value))
    assert list(iter_records(output)) == [(key, value)]
    assert read_table(output).num_rows == 1


def test_a_row_of_other_columns_is_a_dict() -> None:
    output = write_part("part-m-00000.jsonl", b'{"day": 1, "url": "x"}\n')
    assert list(iter_records(output)) == [{"day": 1, "url": "x"}]
    assert read_table(output).column_names == ["day", "url"]


def test_pairs_come_back_with_their_types() -> None:
    pairs = [((1, "a"), b"x"), ("k", 2.5), (None, {3: (4,)})]
    keys, values = ([encode_value(item) for item in column] for column in zip(*pairs, strict=True))
    output = write_part("part-r-00000.pairs", pack_pairs(len(pairs), keys, values))
    assert list(iter_records(output)) == pairs


def test_what_only_has_the_name_of_pairs_is_an_error() -> None:
    with pytest.raises(InputError, match=r"part-r-00000\.pairs: this is no object of the format Pairs"):
        list(iter_records(write_part("part-r-00000.pairs", b"a\t1\n")))


def test_an_empty_output_has_no_records() -> None:
    output = write_part("part-r-00000.txt", b"")
    assert list(iter_records(output)) == []
    assert read_table(output).column_names == ["key", "value"]


def test_what_is_not_read_back_is_said_by_name() -> None:
    with pytest.raises(ValueError, match=r"part-r-00000\.csv: only Pairs, Text, JSONLines and Parquet"):
        list(iter_records(write_part("part-r-00000.csv", b"a,1\n")))
