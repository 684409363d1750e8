"""Tasks that hang or crawl: found out by their reports, from pods to the operator over the cluster's network."""

import pytest

from tests.e2e.jobs import WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("resumed")]  # likewise a minute after the suspension

SLOWED = """\
import os
import time

{program}

if os.environ["PODREDUCE_POD_NAME"].endswith("-m-2-1"):
    map_func = WordCount.map_func

    def slow(self, key, value):
        time.sleep({seconds})
        yield from map_func(self, key, value)

    WordCount.map_func = slow
"""


def test_an_attempt_that_hangs_is_given_up_and_made_again(world: JobWorld) -> None:
    source = SLOWED.format(program=WORD_COUNT, seconds=3600)
    world.start("hung", source, progressDeadlineSeconds=10, speculation="Never")
    job = world.wait("hung", "Complete")
    failures = [(failure["task"], failure["reason"]) for failure in job["status"]["failures"]]
    assert failures == [("m-2", "NoProgress")]
    assert "context.progress()" in job["status"]["failures"][0]["message"]
    assert read_words(world.parts("hung")) == count_words()


def test_a_straggler_is_overtaken_by_its_twin(world: JobWorld) -> None:
    world.start("crawling", SLOWED.format(program=WORD_COUNT, seconds=0.5), parallelism=20)
    job = world.wait("crawling", "Complete")
    assert job["status"].get("failures", []) == []
    assert world.commit("crawling", "m-2")["podName"].endswith("-m-2-2")
    assert read_words(world.parts("crawling")) == count_words()
