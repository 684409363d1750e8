"""Keys and values as Arrow columns, in Parquet output and for `map_batch`. Some rows set a column's type, all must fit.

int is int64, float is float64; str, bytes, bool and None are the types of that name; a list is a list, a dict a struct
of its names, a tuple a struct of `_1`, `_2` and so on, as in Spark. Dates, times, UUIDs and Decimals have Arrow's types
for them. Among the first rows ints and floats may be mixed, and None may appear anywhere. Nothing is ever converted so
that it reads back as something else. Rule: pure.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import UUID

from podreduce.encoding.plain_forms import ATOMS
from podreduce.encoding.showing import show
from podreduce.encoding.unwritable import UnwritableError, as_plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["build_column", "captured", "find_type"]

EXACT_FLOAT = 2**53
"""Every int up to here is a float."""
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
SAME_DIGITS = "yield Decimals with the same number of decimal places, with value.quantize(...), or str(value)"
SMALL_DECIMAL_DIGITS, MAX_DECIMAL_DIGITS = 38, 76
PLAIN = frozenset({int, float, bool, type(None)})
"""Types without parts, whose values take ENTRY_BYTES."""
ENTRY_BYTES = 64
"""About how much memory a value takes besides its text or bytes."""


def captured(value: Any) -> tuple[Any, int]:  # noqa: ANN401 - anything the program yields
    """Return a copy of `value` that the program cannot change, and about how many bytes it takes.

    Raises:
        UnwritableError: its type cannot be written.
    """
    kind = type(value)
    if kind is str or kind is bytes:
        return value, len(value) + ENTRY_BYTES
    if kind in PLAIN:
        return value, ENTRY_BYTES
    value = as_plain(value)
    kind = type(value)
    if kind in (list, tuple):
        return captured_items(value)
    if kind is dict:
        fields = {as_plain(name): captured(item) for name, item in value.items()}
        return {name: item for name, (item, _) in fields.items()}, sum(size for _, size in fields.values())
    if kind is datetime and value.tzinfo is not None:
        return in_utc(value), ENTRY_BYTES
    return (value, ENTRY_BYTES) if kind in ATOMS - {str, bytes} else captured(value)


def captured_items(values: list[Any] | tuple[Any, ...]) -> tuple[Any, int]:
    """Return a copy of a list or tuple as `captured` does, quickly if it holds plain values only."""
    if PLAIN.issuperset(map(type, values)):
        return values[:], ENTRY_BYTES * (len(values) + 1)
    items = [captured(item) for item in values]
    return type(values)(item for item, _ in items), sum(size for _, size in items) + ENTRY_BYTES


def in_utc(moment: datetime) -> datetime:
    """Return the moment of an aware datetime in UTC, which a column can hold."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UnwritableError("a datetime is outside the years 1 to 9999 in UTC: yield value.isoformat()") from None


def find_type(values: Sequence[Any]) -> "pa.DataType":
    """Return the column type for `values`.

    Raises:
        UnwritableError: there is none.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import; only this format needs it

    present = [value for value in values if value is not None]
    kinds = kinds_of(present)
    if kinds == {int, float}:
        kinds = {float}
    if len(kinds) > 1:
        names = sorted(map(name_kind, kinds))
        raise UnwritableError(f"a column has values of several types, {' and '.join(names)}: yield one type")
    kind = kinds.pop() if kinds else type(None)
    if kind is Decimal:
        return find_decimal_type(present)
    if kind is list:
        return pa.list_(find_type([*chain.from_iterable(present)]))
    if kind is tuple or kind is dict:
        rows = [as_fields(value) for value in present]
        if not any(rows):
            raise UnwritableError("an empty dict or tuple has no columns: yield None instead")
        return pa.struct([(name, find_type([row.get(name) for row in rows])) for name in dict.fromkeys(chain(*rows))])
    return plain_types()[kind]


class AwareDatetime:
    """Represents the type of a datetime with a zone, which Python has no class for."""


def kinds_of(values: Sequence[Any]) -> set[type]:
    """Return the types of values, as `kind_of` has them."""
    kinds = {*map(type, values)}
    return {*map(kind_of, values)} if datetime in kinds else kinds


def kind_of(value: Any) -> type:  # noqa: ANN401 - of any type that may be yielded
    """Return the type of a value, as far as columns distinguish types."""
    return AwareDatetime if type(value) is datetime and value.tzinfo is not None else type(value)


def name_kind(kind: type) -> str:
    """Return the name of a type in a message."""
    return "datetime with a tzinfo" if kind is AwareDatetime else kind.__qualname__


def find_decimal_type(numbers: Sequence[Decimal]) -> "pa.DataType":
    """Return a type that holds all these Decimals: enough digits, and the largest number of decimal places.

    Raises:
        UnwritableError: there is none.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import; only this format needs it

    if not all(number.is_finite() for number in numbers):
        raise UnwritableError("a column cannot hold a Decimal that is NaN or infinite: yield None, or str(value)")
    scale = max([0, *[-int(number.as_tuple().exponent) for number in numbers]])
    digits = scale + max([0, *[number.adjusted() + 1 for number in numbers]])
    if digits > MAX_DECIMAL_DIGITS:
        raise UnwritableError(f"a column holds Decimals of at most {MAX_DECIMAL_DIGITS} digits: yield str(value)")
    return pa.decimal128(SMALL_DECIMAL_DIGITS, scale) if digits <= SMALL_DECIMAL_DIGITS else pa.decimal256(76, scale)


def plain_types() -> "dict[type, pa.DataType]":
    """Return the column type of each type without parts, except Decimal."""
    import pyarrow as pa  # noqa: PLC0415

    return {
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        bytes: pa.binary(),
        bool: pa.bool_(),
        type(None): pa.null(),
        date: pa.date32(),
        datetime: pa.timestamp("us"),
        AwareDatetime: pa.timestamp("us", "UTC"),
        time: pa.time64("us"),
        timedelta: pa.duration("us"),
        UUID: pa.uuid(),
    }


def as_fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a dict or tuple
    """Return the fields of a struct."""
    if type(value) is tuple:
        return {f"_{number}": item for number, item in enumerate(value, 1)}
    for name in value:
        if type(name) is not str:
            raise UnwritableError(f"a dict has the key {show(name)}, but a column's name is a str: yield str(key)")
    return value  # type: ignore[no-any-return]


def build_column(values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
    """Return `values` as a column of that type.

    Raises:
        UnwritableError: one of them has another type.
    """
    import pyarrow as pa  # noqa: PLC0415

    present = [value for value in values if value is not None]
    check_types(present, kind)
    nulls = pa.array([value is None for value in values], pa.bool_()) if len(present) < len(values) else None
    if pa.types.is_list(kind):
        return build_lists(values, kind, nulls)
    if pa.types.is_struct(kind):
        return build_structs(values, kind, nulls)
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        raise UnwritableError(
            "it holds a lone surrogate, which is not UTF-8: yield text.encode('utf-8', 'replace').decode()"
        ) from None
    except (pa.ArrowInvalid, OverflowError):
        remedy = SAME_DIGITS if pa.types.is_decimal(kind) else "yield value.total_seconds()"
        raise UnwritableError(f"one of its values does not fit {kind}, the type of the first rows: {remedy}") from None


def check_types(present: Sequence[Any], kind: "pa.DataType") -> None:
    """Make sure that the values, none of them None, have the type of the first rows, and fit."""
    import pyarrow as pa  # noqa: PLC0415

    kinds = kinds_of(present)
    for found in kinds:
        if found not in allowed_types(kind):
            first = "the first rows had only None there" if kind == pa.null() else f"the first rows had {kind} there"
            raise UnwritableError(f"a {name_kind(found)} cannot go into the column: {first}; yield one type")
    if pa.types.is_int64(kind) and present and not INT_MIN <= min(present) <= max(present) <= INT_MAX:
        raise UnwritableError("an int of more than 64 bits cannot go into a column: yield str(value)")
    has_ints = pa.types.is_float64(kind) and int in kinds
    if has_ints and not all(type(v) is float or -EXACT_FLOAT <= v <= EXACT_FLOAT for v in present):
        raise UnwritableError("an int over 2**53 among floats would lose digits: yield one type")


def allowed_types(kind: "pa.DataType") -> tuple[type, ...]:
    """Return the types that a column of that type accepts."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_list(kind):
        return (list,)
    if pa.types.is_struct(kind):
        return (dict, tuple)
    if pa.types.is_float64(kind):
        return (float, int)
    if pa.types.is_decimal(kind):
        return (Decimal,)
    return tuple(plain for plain, column in plain_types().items() if column == kind)


def build_lists(values: Sequence[Any], kind: "pa.DataType", nulls: "pa.Array | None") -> "pa.Array":
    """Return lists as a column."""
    import pyarrow as pa  # noqa: PLC0415

    offsets, end = [0], 0
    for value in values:
        end += len(value or ())
        offsets.append(end)
    items = build_column([*chain.from_iterable(value or () for value in values)], kind.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=kind, mask=nulls)


def build_structs(values: Sequence[Any], kind: "pa.DataType", nulls: "pa.Array | None") -> "pa.Array":
    """Return dicts or tuples as a column."""
    import pyarrow as pa  # noqa: PLC0415

    rows = [{} if value is None else as_fields(value) for value in values]
    names = [field.name for field in kind]
    for row in rows:
        if not row.keys() <= {*names}:
            unknown = next(name for name in row if name not in names)
            raise UnwritableError(f"the field {show(unknown)} is new: the first rows had {', '.join(names) or 'none'}")
    columns = [build_column([row.get(field.name) for row in rows], field.type) for field in kind]
    return pa.StructArray.from_arrays(columns, fields=list(kind), mask=nulls)
