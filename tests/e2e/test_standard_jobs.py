"""The two standard programs, unmodified, over 20 MB in five objects, against their oracles."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

from tests.e2e.corpus import decompressed, real_text
from tests.e2e.jobs import LOG_ANALYSIS, WORD_COUNT, JobWorld
from tests.e2e.oracle import count_urls_by_timestamp, count_words, read_urls_by_timestamp, read_words

pytestmark = pytest.mark.e2e

GREP = """\
class Grep:
    def map_func(self, key, value):
        if "import" in value:
            yield key, value
"""


def test_the_word_count_equals_a_counter_and_tells_its_story(world: JobWorld, tell: Callable[[str], None]) -> None:
    job = world.run("wordcount", WORD_COUNT)
    parts = world.parts("wordcount")
    assert len(parts) == 3
    assert read_words(parts) == count_words()

    status = job["status"]
    assert status["plan"]["objects"] == 5
    assert status["plan"]["bytes"] == sum(len(data) for data in real_text().values())
    assert (status["map"]["progress"], status["reduce"]["progress"]) == ("8/8", "3/3")
    assert status["map"]["completedIndexes"] == "0-7"
    assert status["output"]["records"] == len(count_words())
    assert status["shuffle"]["imbalance"] < status["shuffle"]["hashImbalance"]
    tell(f"packing: {status['shuffle']}")
    columns = world.cluster.kubectl("get", "mrj", "wordcount", "--namespace", world.namespace).stdout.split()
    assert columns[:6] == ["NAME", "PHASE", "MAPS", "REDUCES", "CHANGED", "AGE"]
    assert columns[6:10] == ["wordcount", "Complete", "8/8", "3/3"]
    assert "Mapping" in world.describe("wordcount")
    assert not world.running_pods("wordcount")


def test_the_log_analysis_equals_duckdb(world: JobWorld) -> None:
    output = {"uri": world.output_uri("logs"), "format": "Text"}
    world.run("logs", LOG_ANALYSIS, corpus="logs", output=output)
    assert read_urls_by_timestamp(world.parts("logs")) == count_urls_by_timestamp()


def test_a_map_only_job_with_json_lines_writes_a_part_a_map(world: JobWorld) -> None:
    source = GREP
    output = {"uri": world.output_uri("grep"), "format": "JSONLines"}
    job = world.run("grep", source, output=output, reduce={})
    records = [json.loads(line) for part in world.parts("grep") for line in part.decode().splitlines()]
    lines = [line for data in decompressed(real_text()) for line in data.decode().split("\n") if "import" in line]
    assert Counter(record["value"] for record in records) == Counter(line.removesuffix("\r") for line in lines)
    assert job["status"]["output"]["records"] == len(records)
    assert len(world.parts("grep")) == 8
