"""The filter of a Parquet input as Arrow expressions: which rows to read, and which row groups may have such rows."""

from collections.abc import Iterable
from functools import reduce
from operator import and_
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Condition

__all__ = ["Filter", "compile_filter", "compile_pruning"]

Filter: TypeAlias = "pc.Expression | None"

OPERATORS: Final[dict[str, Any]] = {
    "Equal": pc.Expression.__eq__,
    "NotEqual": pc.Expression.__ne__,
    "Less": pc.Expression.__lt__,
    "LessOrEqual": pc.Expression.__le__,
    "Greater": pc.Expression.__gt__,
    "GreaterOrEqual": pc.Expression.__ge__,
}


def compile_filter(conditions: Iterable[Condition], schema: pa.Schema, uri: str) -> Filter:
    """Return the conditions as one expression; None if there are none.

    Raises:
        InputError: a condition's value does not fit its column's type.
    """
    expressions = [compile_condition(condition, schema, uri) for condition in conditions]
    return reduce(and_, expressions) if expressions else None


def compile_pruning(conditions: Iterable[Condition], schema: pa.Schema, uri: str) -> Filter:
    """Return the conditions that row group statistics can decide: they ignore NaN, which differs from all numbers."""
    asked = [each for each in conditions if not (each.operator in ("NotEqual", "NotIn") and has_nan(each, schema))]
    return compile_filter(asked, schema, uri)


def has_nan(condition: Condition, schema: pa.Schema) -> bool:
    """Tell whether a condition's column may hold NaN."""
    return bool(pa.types.is_floating(value_type(schema.field(condition.column).type)))


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is compared: a category as its value, a half float as a float."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.float32() if pa.types.is_float16(kind) else kind


def compile_condition(condition: Condition, schema: pa.Schema, uri: str) -> pc.Expression:
    """Return one condition as an expression, its values cast to the column's type."""
    stored = schema.field(condition.column).type
    kind = value_type(stored)
    column = pc.field(condition.column)
    if condition.operator in ("IsNull", "IsNotNull"):
        return column.is_null() if condition.operator == "IsNull" else column.is_valid()
    if kind is not stored:
        column = column.cast(kind)
    wanted = condition.values if condition.value is None else (condition.value,)
    try:
        values = pa.concat_arrays([pa.array([value]).cast(kind) for value in wanted])
    except (ValueError, OverflowError, TypeError, pa.ArrowException) as error:
        raise InputError(
            f"{uri}: input.filter: {', '.join(map(repr, wanted))} cannot be compared with the column "
            f"{condition.column}, which is {stored} ({error}); correct the value, or remove the condition"
        ) from error
    if condition.operator in ("In", "NotIn"):
        is_in = column.isin(with_both_zeros(values))
        return is_in if condition.operator == "In" else ~is_in & column.is_valid()
    expression: pc.Expression = OPERATORS[condition.operator](column, values[0])
    return expression


def with_both_zeros(values: pa.Array) -> pa.Array:
    """Return a set's values; if 0.0 or -0.0 is in it, with both: they are equal, but a set compares bytes."""
    if not pa.types.is_floating(values.type) or not any(value == 0 for value in values.to_pylist()):
        return values
    return pa.concat_arrays([values, pa.array([0.0, -0.0], values.type)])
