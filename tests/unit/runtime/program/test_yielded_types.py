"""Whatever a program yields, in whatever tier: what was yielded comes out, or an error says what to yield instead."""

import base64
import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from podreduce.contract.errors import PodreduceError, ProgramError
from podreduce.encoding.pair_frames import unpack_pairs
from tests.support import specimens
from tests.support.searching import SEED, count_drawn, tries
from tests.support.specimens import SEEN, SPECIMENS, Angry, NoFormError, python_form
from tests.support.task_runs import TaskRun

JOBS = tries(20)
"""How many jobs of one record each tier runs, drawn anew for each tier; with a large number, all there are."""

HEAD = """from tests.support import specimens
class Job:
    def map_func(self, key, value):
        item = specimens.SPECIMENS[value]
"""
COLLECT = """
    def reduce_func(self, key, values):
        for value in values:
            specimens.SEEN.append((key, value))
        yield "done", 1
"""
FROM_REDUCE = """
        yield value, 1
    def reduce_func(self, name, values):
        item = specimens.SPECIMENS[name]
"""
FORMATS = ("Text", "JSONLines", "CSV", "FixedLength", "Parquet", "Pairs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One way of a pair through a job; PAIR in its source stands for the pair."""

    name: str
    source: str
    plan: dict[str, Any] = field(default_factory=dict)


def tiers() -> list[Tier]:
    """Return every way."""
    found = [
        Tier(name="generic", source=f"{HEAD}        yield PAIR\n{COLLECT}"),
        Tier(name="drained", source=f"{HEAD}        return [(PAIR)]\n{COLLECT}"),
        Tier(
            name="combined",
            source=f"{HEAD}        yield PAIR\n        yield PAIR\n"
            f"    def combine_func(self, key, values):\n        yield key, next(values)\n{COLLECT}",
        ),
        Tier(
            name="made by combine_func",
            source=f"{HEAD}        yield value, 1\n        yield value, 1\n    def combine_func(self, name, values):\n"
            f"        item = specimens.SPECIMENS[name]\n        yield PAIR\n{COLLECT}",
        ),
        Tier(
            name="partitioned",
            source=f"{HEAD}        yield PAIR\n"
            f"    def partition_func(self, key, partitions):\n        return 0\n{COLLECT}",
        ),
        Tier(name="skipping", source=f"{HEAD}        yield PAIR\n{COLLECT}", plan={"bad_records": "Skip"}),
    ]
    for combiner in ("sum", "min", "max", "count"):
        pairs = "        yield PAIR\n        yield PAIR\n"
        found.append(Tier(name=combiner, source=f'{HEAD}{pairs}    combiner = "{combiner}"\n'))
    recognised = "    def reduce_func(self, key, values):\n        yield key, sum(values)\n"
    found.append(Tier(name="recognised sum", source=f"{HEAD}        yield PAIR\n        yield PAIR\n{recognised}"))
    for name in FORMATS:
        plan = {"output_format": name}
        found.append(Tier(name=f"map-only {name}", source=f"{HEAD}        yield PAIR\n", plan=plan))
        found.append(Tier(name=f"reduced {name}", source=f"{HEAD}{FROM_REDUCE}        yield PAIR\n", plan=plan))
    named = {"output_format": "CSV", "output_columns": ("a", "b")}
    found.append(Tier(name="named columns", source=f"{HEAD}        yield PAIR\n", plan=named))
    skipping = {"output_format": "JSONLines", "bad_records": "Skip"}
    found.append(Tier(name="skipping map-only", source=f"{HEAD}        yield PAIR\n", plan=skipping))
    return found


TIERS = tiers()
PLACES = {
    "value": ('"k", item', lambda item: item),
    "key": ("item, 1", lambda item: item),
    "in a value": ('"k", [{"a": (item,)}]', lambda item: [{"a": (item,)}]),
    "in a key": ('("k", item), 1', lambda item: ("k", item)),
}
OWN = [name for name in SPECIMENS if "." not in name]
LIBRARY = [name for name in SPECIMENS if "." in name]


def run(tier: Tier, pair: str, name: str) -> tuple[list[bytes], PodreduceError | None]:
    """Run a job of one record; return its parts, or the error it fails with."""
    SEEN.clear()
    if tier.name == "made by combine_func":
        pair = pair.replace('"k"', "name")
    job = TaskRun(
        source=tier.source.replace("PAIR", pair),
        objects={"a": f"{name}\n".encode()},
        partitions=1,
        plan_changes=tier.plan,
    )
    try:
        records = job.run()
    except PodreduceError as error:
        return [], error
    return [job.output.get(record.part.key) for record in records if record.part], None


def shape(item: Any) -> Any:
    """Return an item such that only the same of the same types equals it."""
    if isinstance(item, tuple | list):
        return type(item), [shape(each) for each in item]
    if isinstance(item, dict):
        return dict, [(shape(name), shape(each)) for name, each in item.items()]
    if isinstance(item, datetime):
        return datetime, item.replace(tzinfo=None), item.fold, repr(item.tzinfo), item.utcoffset()
    return type(item), repr(item) if isinstance(item, float | Decimal | time) else item


def as_key(item: Any) -> Any:
    """Return what a Python form becomes as a key."""
    kind = type(item)
    if kind is tuple:
        return tuple(map(as_key, item))
    if kind in (list, dict) or (kind is Decimal and item.is_nan()) or (kind is float and math.isnan(item)):
        raise NoFormError
    if kind is float and item.is_integer():
        return int(item)
    if kind is Decimal:
        return item if item.is_infinite() else plainest(item)
    if kind is time:
        return item.replace(fold=0)
    if kind is datetime:
        try:
            return (item if item.tzinfo is None else item.astimezone(UTC)).replace(fold=0)
        except OverflowError:
            raise NoFormError from None
    return item


def plainest(number: Decimal) -> Decimal:
    """Return a Decimal without zeros at its end, and without an exponent where that takes 28 digits at most."""
    if not number:
        return Decimal(0)
    sign, digits, exponent = number.as_tuple()
    while digits[-1] == 0:
        digits, exponent = digits[:-1], int(exponent) + 1
    if exponent > 0 and len(digits) + exponent <= 28:
        digits, exponent = (*digits, *(0,) * int(exponent)), 0
    return Decimal((sign, digits, exponent))


def expected(place: str, name: str, *, is_shuffled: bool) -> Any:
    """Return what must come out of a specimen in a place; NoFormError where it must be refused."""
    try:
        form = python_form(PLACES[place][1](SPECIMENS[name]))
        return as_key(form) if place.endswith("key") and is_shuffled else form
    except RecursionError:
        raise NoFormError from None


def check_refusal(error: Exception) -> None:
    """Make sure that an error is the program's, and says what to yield."""
    assert isinstance(error, ProgramError), f"{type(error).__name__}: {error}"
    message = str(error)
    assert "yield" in message or "write a reduce_func" in message, message


def cases(tier: Tier) -> list[tuple[str, str]]:
    """Return the places and specimens that a tier gets: of the library's classes one in four."""
    drawn = random.Random(f"{tier.name} {SEED}")  # noqa: S311 - no secret
    own, library = ([(place, name) for name in names for place in PLACES] for names in (OWN, LIBRARY))
    few = JOBS // 4
    return drawn.sample(own, min(JOBS - few, len(own))) + drawn.sample(library, min(few, len(library)))


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_whatever_is_yielded_comes_out_or_is_refused_with_what_to_yield(tier: Tier) -> None:
    faults = []
    for place, name in cases(tier):
        count_drawn(1)
        try:
            judge(tier, place, name, *run(tier, PLACES[place][0], name))
        except Exception as fault:  # noqa: BLE001 - what must never be
            faults.append(f"{name} {place}: {type(fault).__name__}: {str(fault)[:300]}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:25])


def judge(tier: Tier, place: str, name: str, parts: list[bytes], error: PodreduceError | None) -> None:
    """Make sure that the outcome is right."""
    if error is not None:
        check_refusal(error)
    try:
        form = expected(place, name, is_shuffled=not tier.name.startswith("reduced"))
    except NoFormError:
        form = NoFormError
    if tier.source.endswith(COLLECT):
        judge_seen(tier, place, form, error)
    elif form is not NoFormError and tier.plan.get("output_format") == "Pairs" and error is not None:
        pytest.fail(f"refused, though it may be yielded: {error}")
    elif form is not NoFormError and error is None and parts != [b""]:
        read = READERS.get(tier.plan.get("output_format", ""))
        if read is not None:
            found, wanted = read(parts[0], form, is_key=place.endswith("key"))
            assert found == wanted or repr(found) == repr(wanted)  # NaN
    elif form is NoFormError and tier.name != "count":
        assert error is not None or parts == [b""] or name in ("NaN", "numpy NaN"), f"written as {parts}"


def judge_seen(tier: Tier, place: str, form: Any, error: PodreduceError | None) -> None:
    """Make sure that the reduce got what was yielded, or that what has no form was refused."""
    is_key = place.endswith("key")
    if tier.name == "made by combine_func" and is_key:
        assert isinstance(error, ProgramError)  # it must yield its own key
    elif form is NoFormError:
        assert not SEEN, f"taken as {SEEN}"
        assert error is not None or tier.plan
    else:
        assert error is None, f"refused: {error}"
        assert SEEN
        for key, value in SEEN:
            assert (shape(key) if is_key else shape(value)) == shape(form)


def read_json(part: bytes, form: Any, *, is_key: bool) -> tuple[Any, Any]:
    """Return what a line of JSON has in a place, and what it must have; numbers as Decimals."""
    line = json.loads(part, parse_float=Decimal, parse_int=Decimal)
    return line["key" if is_key else "value"], as_json(form)


def as_json(form: Any) -> Any:  # noqa: PLR0911 - one return a type
    """Return a Python form as JSON has it, said without the code of the formats."""
    if isinstance(form, tuple | list):
        return list(map(as_json, form))
    if isinstance(form, dict):
        return {name: as_json(item) for name, item in form.items()}
    if isinstance(form, bytes):
        return base64.b64encode(form).decode()
    if isinstance(form, bool | str | None):
        return form
    if isinstance(form, int | float | Decimal):
        return Decimal(repr(form) if isinstance(form, float) else form) if is_finite(form) else name_of(form)
    if isinstance(form, timedelta):
        return msgspec.to_builtins(form) if form else "PT0S"
    return form.isoformat() if isinstance(form, date | time) else str(form)


def is_finite(number: float | Decimal) -> bool:
    """Tell whether a number is neither infinite nor NaN, however large."""
    return number.is_finite() if isinstance(number, Decimal) else isinstance(number, int) or math.isfinite(number)


def name_of(number: float | Decimal) -> str:
    """Return the name of what is no JSON number."""
    if isinstance(number, Decimal):
        return str(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def read_parquet(part: bytes, form: Any, *, is_key: bool) -> tuple[Any, Any]:
    """Return what a row has in a column, and what it must have."""
    row = pq.read_table(pa.BufferReader(part)).to_pylist()[0]
    return as_column(row["key" if is_key else "value"]), as_column(form)


def as_column(form: Any) -> Any:
    """Return a Python form as pyarrow reads it from a column, said without the code of the formats."""
    if isinstance(form, tuple):
        return {f"_{number}": as_column(item) for number, item in enumerate(form, 1)}
    if isinstance(form, list):
        return list(map(as_column, form))
    if isinstance(form, datetime) and form.tzinfo is not None:
        return form.astimezone(UTC)
    return {name: as_column(item) for name, item in form.items()} if isinstance(form, dict) else form


def read_pairs(part: bytes, form: Any, *, is_key: bool) -> tuple[Any, Any]:
    """Return a record's key or value, and what it must be, with their exact types."""
    found = unpack_pairs(part, len(part))
    return shape((found.keys() if is_key else found.values())[0]), shape(form)


READERS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "JSONLines": read_json,
    "Parquet": read_parquet,
    "Pairs": read_pairs,
}


ONES = {
    "int": 1,
    "True": True,
    "float": 1.0,
    "Decimal": Decimal("1.0"),
    "numpy int": np.int8(1),
    "numpy bool": np.True_,
}


@pytest.mark.parametrize(
    "way",
    [
        "    combiner = 'count'\n",
        COLLECT,
        "    def reduce_func(self, key, values):\n        yield key, len(list(values))\n",
    ],
)
def test_only_keys_that_are_one_are_merged_though_python_takes_more_for_one(way: str) -> None:
    SEEN.clear()
    given = f"from {__name__} import ONES\n"
    source = f"{given}{HEAD}        yield item, 1\n        yield (item,), 1\n{way}"
    source = source.replace("specimens.SPECIMENS", "ONES")
    job = TaskRun(source=source, objects={"a": "\n".join([*ONES] * 2).encode()}, partitions=1, cuts=(20,))
    lines = job.output_lines()
    if way == COLLECT:
        counts = Counter(shape_text(key) for key, _ in SEEN)
        lines = [f"{key}\t{count}" for key, count in counts.items()]
    last = ["[Decimal]\t2", "Decimal\t2"] if way == COLLECT else ["[1]\t2", "1\t2"]
    assert lines == ["true\t4", "1\t6", "[true]\t4", "[1]\t6", *last]


def shape_text(key: Any) -> str:
    """Return a key as JSON, a Decimal told apart."""
    if type(key) is tuple:
        return f"[{shape_text(key[0])}]"
    return "Decimal" if type(key) is Decimal else json.dumps(key)


SUMS = {
    "sum": "    def reduce_func(self, key, values):\n        yield key, sum(values)\n",
    "loop": """
    def reduce_func(self, key, values):
        total = 0.0
        for value in values:
            total = total + value
        yield key, total
""",
    "combiner": '    combiner = "sum"\n',
}


@pytest.mark.parametrize("way", SUMS)
def test_sums_of_numpy_numbers_come_out_whichever_way_they_are_added(way: str) -> None:
    source = f"""import numpy as np
class Numbers:
    def map_func(self, key, value):
        for word in value.split():
            yield word, np.float64(1.5)
{SUMS[way]}"""
    assert TaskRun(source=source, objects={"in.txt": b"a b a\n"}, partitions=1).output_lines() == ["a\t3.0", "b\t1.5"]


DIGITS = "12345678901234567890123456789012345678.9"


@pytest.mark.parametrize("way", ["sum", "combiner"])
@pytest.mark.parametrize("cuts", [(), (30,), (30, 80)], ids=str)
def test_sums_of_decimals_lose_no_digit_whatever_the_shards(way: str, cuts: tuple[int, ...]) -> None:
    source = f"""from decimal import Decimal
class Numbers:
    def map_func(self, key, value):
        yield 'all', Decimal(value)
{SUMS[way]}"""
    data = f"{DIGITS}\n0.00000000000000000001\n-{DIGITS}\n1E-25\n{DIGITS}\n".encode()
    job = TaskRun(source=source, objects={"a": data}, partitions=1, cuts=cuts)
    assert job.output_lines() == [f"all\t{DIGITS}{'0' * 18}100001"]


@pytest.mark.parametrize(
    ("first", "second", "combiner"),
    [
        ("date", "datetime", "min"),
        ("datetime", "UTC", "max"),
        ("Decimal", "float", "sum"),
        ("float", "huge int", "sum"),
        ("endless Decimal", "Decimal", "sum"),
        ("Decimal infinity", "negated infinity", "sum"),
        ("signalling NaN", "Decimal", "max"),
        ("timedelta", "timedelta", "sum"),
    ],
)
@pytest.mark.parametrize("cuts", [(), (1,)], ids=["in a map", "in a reduce"])
def test_values_without_an_aggregate_are_the_programs_error(
    first: str, second: str, combiner: str, cuts: tuple[int, ...]
) -> None:
    source = f'{HEAD}        yield "k", item\n    combiner = "{combiner}"\n'
    job = TaskRun(source=source, objects={"a": f"{first}\n{second}\n".encode()}, partitions=1, cuts=cuts)
    with pytest.raises(ProgramError) as raised:
        job.run()
    if not raised.value.user_traceback:  # else the fused yield has added up itself, and the traceback shows it
        assert "cannot take values of the key 'k'" in str(raised.value)
        assert str(raised.value).endswith("write a reduce_func for such values")
        assert "<class" not in str(raised.value)


@pytest.mark.parametrize("role", ["key", "value"])
@pytest.mark.parametrize("name", [name for name in specimens.REFUSED if "NaN" not in name and name != "itself"])
def test_a_refusal_names_the_type_the_key_and_what_to_yield(name: str, role: str) -> None:
    item = specimens.REFUSED[name]
    error = run(TIERS[0], PLACES[role][0], name)[1]
    kind = Angry if name == "list of angry" and role == "value" else type(item)
    assert error is not None
    message = str(error)
    assert message.startswith("Job.map_func yielded, for the key ")
    assert re.search(rf"\b{kind.__name__} cannot be a {role}\b.*: yield \S", message), message
    assert role == "key" or "for the key 'k': " in message
