"""Bad records on a cluster: left out of the output, kept with their errors in the store; and too many of them."""

import base64
import json
import re
from collections import Counter
from typing import Any

import obstore
import pytest

from tests.e2e.jobs import JobWorld
from tests.e2e.oracle import read_words

pytestmark = pytest.mark.e2e

PICKY = """\
class Picky:
    def map_func(self, key, value):
        yield "before", 1
        yield f"tens {int(value) // 10}", 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""
BAD_LINES = {"a.txt": {7: b"seven", 150: b""}, "b.txt": {0: b"\xff\xfe", 199: b"1e3"}}
"""By object: the lines that are bad, by their numbers; one is no UTF-8, the others no int."""


def make_lines(name: str) -> list[bytes]:
    """The lines of an object: two hundred ints, and in place of some what is none."""
    return [BAD_LINES[name].get(number, b"%d" % number) for number in range(200)]


def offset_of(name: str, number: int) -> int:
    return sum(len(line) + 1 for line in make_lines(name)[:number])


def count_good() -> Counter[str]:
    good = [int(line) for name in BAD_LINES for number, line in enumerate(make_lines(name)) if is_good(name, number)]
    return Counter([f"tens {value // 10}" for value in good]) + Counter({"before": len(good)})


def is_good(name: str, number: int) -> bool:
    return number not in BAD_LINES[name]


def put_input(world: JobWorld) -> str:
    """Put the objects below a prefix of the test's own; return it."""
    store = world.minio.store(world.corpus_bucket)
    for name in BAD_LINES:
        obstore.put(store, f"{world.namespace}/{name}", b"\n".join(make_lines(name)))
    return f"s3://{world.corpus_bucket}/{world.namespace}/"


def read_quarantine(world: JobWorld, status: dict[str, Any]) -> list[dict[str, Any]]:
    """Read all that lies where the status says that the bad records are."""
    bucket, _, prefix = status["badRecords"]["uri"].removeprefix("s3://").partition("/")
    store = world.minio.store(bucket)
    objects = [bytes(obstore.get(store, key).bytes()) for key in world.keys(bucket, prefix)]
    return [json.loads(line) for data in objects for line in data.splitlines()]


def content_of(line: dict[str, Any]) -> bytes:
    """Return the record as it was in the input."""
    return base64.b64decode(line["base64"]) if "base64" in line else line["text"].encode()


def test_bad_records_are_left_out_and_kept_with_their_place_and_their_error(world: JobWorld) -> None:
    world.start("picky", PICKY, input_uri=put_input(world), map={"shards": 4}, badRecords="Skip", maxBadRecords=4)
    status = world.wait("picky", "Complete")["status"]

    assert read_words(world.parts("picky")) == count_good()
    assert status["badRecords"]["count"] == 4
    assert status["counters"]["podreduce"]["mapBadRecords"] == 4
    assert status["failures"] == []
    lines = read_quarantine(world, status)
    found = {(line["uri"].rpartition("/")[2], line["key"]): content_of(line) for line in lines}
    assert len(lines) == 4
    assert found == {
        (name, offset_of(name, number)): content for name, bad in BAD_LINES.items() for number, content in bad.items()
    }
    for line in lines:
        assert re.fullmatch(r"m-[0-3]", line["task"])
        assert line["unit"] == "byte"
        if "base64" in line:
            assert line["reason"] == "InputError"
            assert "traceback" not in line
            assert f"byte {line['key']} is not UTF-8" in line["error"]
        else:
            assert line["reason"] == "ProgramError"
            assert line["error"].startswith("ValueError: invalid literal for int()")
            assert "tens {int(value) // 10}" in line["traceback"]


@pytest.mark.parametrize(
    ("shards", "said"), [(1, r"in m-0 alone \(4\)"), (4, r"\(\d\)")], ids=["in one shard", "in all together"]
)
def test_more_bad_records_than_there_may_be_fail_the_job(world: JobWorld, shards: int, said: str) -> None:
    input_uri, limit = put_input(world), 3
    more: dict[str, Any] = {"map": {"shards": shards}, "badRecords": "Skip", "maxBadRecords": limit}
    world.start("picky", PICKY, input_uri=input_uri, **more)
    status = world.wait("picky", "Failed")["status"]

    failed = world.condition("picky", "Failed")
    assert failed["reason"] == "TooManyBadRecords"
    assert re.search(rf"more bad records {said} than spec.maxBadRecords \({limit}\)", failed["message"])
    assert len(read_quarantine(world, status)) == 4
    bucket, _, prefix = world.output_uri("picky").removeprefix("s3://").partition("/")
    world.cluster.wait_for(lambda: not world.keys(bucket, prefix), "an output without a trace")
