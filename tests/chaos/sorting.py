"""The work that is troubled: a sort in total order, whose tasks take their time without taking the processor.

Each record has a number of its own, so that what is lost or doubled is found out record by record.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MAPS", "REDUCES", "SOURCE", "Verified", "make_records", "verify"]

RECORDS = 120_000
OBJECTS = 6
MAPS = 24
REDUCES = 4
MAP_SECONDS = 8.0
REDUCE_SECONDS = 4.0
PAUSE_EVERY = 250
PADDING_BYTES = 32 * 1024
"""To each record of the task that is to spill: more than its memory holds, and next to nothing once compressed."""
LITTER_BYTES = 64 * 1024 * 1024
"""More than the scratch volume takes."""

SOURCE = f"""\
import os
import time

SLOW_ATTEMPT = ""
FULL_ATTEMPT = ""


def fill_the_disk():
    # As a program does that never tidies up.
    litter = os.open(os.path.join(os.environ["HOME"], "litter"), os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range({LITTER_BYTES >> 16}):
            os.write(litter, bytes(1 << 16))
    except OSError:
        pass


class Sort:
    def setup(self, context):
        self.padding = " " * {PADDING_BYTES} if f"-{{context.task}}-" in FULL_ATTEMPT else ""
        if FULL_ATTEMPT and os.environ["PODREDUCE_POD_NAME"].endswith(FULL_ATTEMPT):
            fill_the_disk()
        is_map = context.task.startswith("m-")
        records = {RECORDS} / ({MAPS} if is_map else {REDUCES})
        seconds = {MAP_SECONDS} if is_map else {REDUCE_SECONDS}
        if SLOW_ATTEMPT and os.environ["PODREDUCE_POD_NAME"].endswith(SLOW_ATTEMPT):
            seconds *= 5
        self.pause = seconds / (records / {PAUSE_EVERY})
        self.records = 0

    def work(self):
        self.records += 1
        if self.records % {PAUSE_EVERY} == 0:
            time.sleep(self.pause)

    def map_func(self, key, value):
        self.work()
        yield value[:10], value[11:] + self.padding

    def reduce_func(self, key, values):
        for value in values:
            self.work()
            yield key, value.rstrip()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of the records."""

    lost: int
    doubled: int
    is_sorted: bool


def make_records() -> dict[str, bytes]:
    """Return the input: objects of lines `key number`, a number a record."""
    numbers = random.Random(1)  # noqa: S311 - a generator of test data
    lines = [f"{numbers.randrange(10**10):010} {number}" for number in range(RECORDS)]
    each = RECORDS // OBJECTS
    return {
        f"part-{index}": "".join(f"{line}\n" for line in lines[index * each : (index + 1) * each]).encode()
        for index in range(OBJECTS)
    }


def verify(parts: Sequence[bytes]) -> Verified:
    """Compare the output's parts, in order, with what they should hold."""
    lines = b"".join(parts).decode().splitlines()
    found = Counter(int(line.partition("\t")[2]) for line in lines)
    keys = [line.partition("\t")[0] for line in lines]
    return Verified(
        lost=RECORDS - len(found),
        doubled=sum(found.values()) - len(found),
        is_sorted=keys == sorted(keys),
    )
