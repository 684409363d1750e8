from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from podreduce.columnar.python_types import to_python

SECOND = 1_000_000_000
MOMENT = datetime(1970, 1, 1, 0, 0, 1)  # noqa: DTZ001 - Arrow's timestamps without a zone
TIMES = pa.timestamp("ns")

HELD: dict[str, tuple[pa.Array, list[Any]]] = {
    "timestamps": (pa.array([SECOND, None], TIMES), [MOMENT, None]),
    "with a zone": (pa.array([SECOND], pa.timestamp("ns", "UTC")), [MOMENT.replace(tzinfo=UTC)]),
    "durations": (pa.array([SECOND], pa.duration("ns")), [timedelta(seconds=1)]),
    "in lists": (pa.array([[SECOND], []], pa.list_(TIMES)), [[MOMENT], []]),
    "in structs": (pa.array([{"at": SECOND}], pa.struct({"at": TIMES})), [{"at": MOMENT}]),
    "in maps": (pa.array([[("a", SECOND)]], pa.map_(pa.string(), TIMES)), [[("a", MOMENT)]]),
    "in dictionaries": (pa.array([SECOND, SECOND], TIMES).dictionary_encode(), [MOMENT, MOMENT]),
    "nothing of the kind": (pa.array(["a", None]), ["a", None]),
}


def iter_types(value: Any) -> set[type]:
    """The types of a value and of all that is in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {type(value)}.union(*map(iter_types, inner))


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_nanoseconds_are_pythons_own_times_though_pandas_is_installed(name: str, *, is_chunked: bool) -> None:
    pytest.importorskip("pandas")
    column, expected = HELD[name]
    found = to_python(pa.chunked_array([column]) if is_chunked else column)
    assert found == expected
    assert iter_types(found) == iter_types(expected)


@pytest.mark.parametrize("kind", [TIMES, pa.duration("ns"), pa.time64("ns")], ids=str)
def test_a_part_of_a_microsecond_is_not_cut_off(kind: pa.DataType) -> None:
    with pytest.raises(ValueError, match="1"):
        to_python(pa.array([SECOND + 1], kind))
