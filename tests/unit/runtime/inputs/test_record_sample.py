"""A sample follows from keys and seed alone: the same records in every tier, shard and block, and none by chance."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.plan import InputOptions, Sample
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.record_sample import RecordSampler
from tests.support.pairs_oracle import write_pairs
from tests.support.sample_oracle import is_sampled
from tests.support.task_runs import TaskRun

FRACTIONS = st.sampled_from([0.0, 0.001, 0.25, 0.5, 0.999, 1.0])
SEEDS = st.integers(-(2**63), 2**63 - 1)
KEYS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.tuples(st.text(max_size=2)))


def block_of(keys: list[Any]) -> RecordBlock:
    return RecordBlock(stored_bytes=0, make_values=lambda: keys, make_keys=lambda: keys, make_arrow=lambda: None)  # type: ignore[arg-type,return-value] # none asks for it


def keep(sample: Sample, input_format: str, keys: list[Any], name: str = "in/a") -> list[Any]:
    return list(RecordSampler(sample, input_format).keep(block_of(keys), name).values)


@given(st.lists(st.integers(0, 2**62), unique=True, max_size=30), FRACTIONS, SEEDS, st.text(max_size=3))
def test_places_are_chosen_by_splitmix(places: list[int], fraction: float, seed: int, name: str) -> None:
    kept = keep(Sample(fraction=fraction, seed=seed), "Text", places, name)
    assert kept == [place for place in places if is_sampled("Text", name, place, fraction=fraction, seed=seed)]


@given(st.lists(KEYS, max_size=30), FRACTIONS, SEEDS)
def test_keys_are_chosen_by_their_hash_wherever_they_are(keys: list[Any], fraction: float, seed: int) -> None:
    sample = Sample(fraction=fraction, seed=seed)
    kept = keep(sample, "Pairs", keys)
    assert kept == [key for key in keys if is_sampled("Pairs", "", key, fraction=fraction, seed=seed)]
    assert kept == keep(sample, "Pairs", keys, "in/b")


@given(st.integers(0, 10**6), SEEDS)
def test_equal_keys_are_kept_together(number: int, seed: int) -> None:
    assert len(keep(Sample(fraction=0.5, seed=seed), "Pairs", [number, float(number)])) in (0, 2)


@pytest.mark.parametrize("key", [[1, "a"], {"a": 1}, float("nan"), (1, [2])], ids=repr)
def test_keys_that_no_shuffle_takes_are_sampled_too(key: Any) -> None:
    assert {len(keep(Sample(fraction=0.5, seed=seed), "Pairs", [key])) for seed in range(20)} == {0, 1}


@pytest.mark.parametrize(("input_format", "keys"), [("Text", range(0, 400_000, 20)), ("Pairs", range(20_000))])
def test_about_the_fraction_is_kept_and_a_larger_one_contains_it(input_format: str, keys: range) -> None:
    found = [keep(Sample(fraction=fraction), input_format, list(keys)) for fraction in (0.0, 0.01, 0.5, 1.0)]
    assert found[0] == []
    assert 120 < len(found[1]) < 280
    assert 9_700 < len(found[2]) < 10_300
    assert found[3] == list(keys)
    assert set(found[1]) < set(found[2])


def test_seeds_and_objects_choose_independently() -> None:
    kept = [
        set(keep(Sample(fraction=0.5, seed=seed), "Text", list(range(4000)), name))
        for seed, name in ((0, "a"), (1, "a"), (0, "b"))
    ]
    for other in kept[1:]:
        assert 900 < len(kept[0] & other) < 1100


def test_a_sample_is_the_same_in_every_release() -> None:
    """If this fails, samples of before cannot be drawn again: the hash must stay what it is."""
    assert keep(Sample(fraction=0.1, seed=7), "Text", list(range(0, 1000, 10)), "in/a") == [
        310,
        330,
        530,
        620,
        680,
        760,
        800,
        820,
    ]
    assert keep(Sample(fraction=0.1, seed=7), "Pairs", list(range(60))) == [3, 5, 20, 26, 33, 49, 51]


ROWS = [(f"user{number % 7}", number) for number in range(60)]
OBJECTS: dict[str, tuple[bytes, InputOptions]] = {
    "Text": ("".join(f"{key} {value}\n" for key, value in ROWS).encode(), InputOptions()),
    "JSONLines": ("".join(json.dumps({"k": key, "v": value}) + "\n" for key, value in ROWS).encode(), InputOptions()),
    "CSV": (("k,v\n" + "".join(f"{key},{value}\n" for key, value in ROWS)).encode(), InputOptions()),
    "FixedLength": (
        "".join(f"{key}{value:03}" for key, value in ROWS).encode(),
        InputOptions(record_length=8, key_length=5),
    ),
    "Pairs": (write_pairs(ROWS, frame_records=7), InputOptions()),
}
MAPS = {
    "rows": "def map_func(self, key, value): yield 'all', 1",
    "batches": "def map_batch(self, batch):\n"
    "        return pa.table({'key': ['all'] * batch.num_rows, 'value': [1] * batch.num_rows})",
}


@pytest.mark.parametrize("map_member", MAPS)
@pytest.mark.parametrize("input_format", OBJECTS)
def test_counters_say_what_was_read_and_what_was_kept(input_format: str, map_member: str) -> None:
    data, options = OBJECTS[input_format]
    counts = []
    for cuts in ([], [len(data) // 3, len(data) // 2]):
        run = TaskRun(
            source=f"import pyarrow as pa\nclass Job:\n    combiner = 'count'\n    {MAPS[map_member]}\n",
            objects={"a": data},
            cuts=cuts,
            partitions=1,
            plan_changes=plan_of(input_format, options),
        )
        maps = [run.map(index) for index in range(run.plan.shards)]
        left_out = sum(each.counters["podreduce"]["mapRecordsLeftOut"] for each in maps)
        kept = sum(each.records_in for each in maps)
        assert kept + left_out == len(ROWS)
        assert run.lines_of(run.reduce_all(maps)) == [f"all\t{kept}"]
        counts.append(kept)
    assert counts[0] == counts[1]
    assert 0 < counts[0] < len(ROWS)


def plan_of(input_format: str, options: InputOptions) -> Mapping[str, Any]:
    fields = {name: getattr(options, name) for name in options.__struct_fields__}
    sampled = InputOptions(**{**fields, "sample": Sample(fraction=0.5, seed=1)})
    return {"input_format": input_format, "input_options": sampled}


def test_bad_records_are_bad_in_any_sample() -> None:
    data = b"good\n" * 10 + b"bad \xff\n" + b"good\n" * 10
    changes = {**plan_of("Text", InputOptions()), "bad_records": "Skip"}
    run = TaskRun(objects={"a": data}, plan_changes=changes)
    record = run.map(0, max_bad_records=5)
    assert record.quarantine is not None
    assert record.quarantine.records == 1
    assert record.records_in - 1 + record.counters["podreduce"]["mapRecordsLeftOut"] == 20
