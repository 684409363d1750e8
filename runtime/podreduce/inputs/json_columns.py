"""JSON objects as columns: the columns' types are those of the whole job, whatever a block's records contain.

Arrow reads a whole block. If it refuses, or could read it differently from `json_lines`, each record is decoded on its
own. So both accept the same lines, and the record that does not fit is named.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions
from podreduce.inputs.column_types import ColumnType, arrow_schema, parse_columns, write_name
from podreduce.inputs.json_documents import CANNOT_DECODE, has_a_document_a_line
from podreduce.inputs.json_inference import INT64, type_of

__all__ = ["JsonColumns", "MisfitError", "declared_columns"]

MOST_BYTES: Final = 1 << 30
MAX_EXACT: Final = 2.0**53
"""From here on some ints are not doubles."""
NEGATIVE_ZERO: Final = re.compile(rb"-0(?![.0-9eE])")
"""JSON's -0 is an int, 0; Arrow reads it as -0.0 if the column is double."""
BY_LINE: Final = {"json", "null"}
"""Kinds that Arrow does not read; of lists of nulls it makes invalid arrays."""
SHOWN_TYPE: Final = 200

split_documents = msgspec.json.Decoder(msgspec.Raw).decode_lines


class MisfitError(ValueError):
    """A value that does not fit its column.

    Attributes:
        path: the field; `found` is the type of its value, `expected` the column's type, None if there is no column.
    """

    def __init__(self, path: Sequence[str], found: ColumnType, expected: ColumnType | None) -> None:
        super().__init__()
        self.path = path
        self.found = found
        self.expected = expected

    def as_input_error(self, uri: str, offset: int) -> InputError:
        """Return the error for the record at `offset` of an object."""
        field, found = ".".join(self.path), f"{self.found}"[:SHOWN_TYPE]
        if self.expected is None:
            declared = ColumnType("struct", fields=((self.path[0], self.found),)) if self.path else self.found
            return InputError(
                f"{uri}: the record at byte {offset} has the field {field} ({found}), which is not a column of the "
                "input (input.schema, or else a sample of the input, sets the columns); name all columns in "
                f"input.schema, this one as {f'{declared}'[7:-1][:SHOWN_TYPE]}, or set input.unknownFields: Ignore"
            )
        return InputError(
            f"{uri}: the record at byte {offset} has {found} in the field {field}, whose column is "
            f"{f'{self.expected}'[:SHOWN_TYPE]} (by input.schema, or else by a sample of the input); correct the "
            f"object, or give {write_name(self.path[0])} another type in input.schema: json takes any value, as text"
        )


@dataclass(frozen=True, kw_only=True)
class JsonColumns:
    """The columns of a job's input; with `ignores_unknown`, fields without a column are left out."""

    types: Mapping[str, ColumnType]
    ignores_unknown: bool = False

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow's schema."""
        return arrow_schema(dict(self.types))

    @cached_property
    def kinds(self) -> set[str]:
        """The kinds of all types."""
        return ColumnType("struct", fields=tuple(self.types.items())).kinds()

    def convert(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a record in the form that Arrow needs for these columns.

        Raises:
            MisfitError: it does not fit.
        """
        return self._convert_fields(value, self.types, ())

    def to_batch(self, values: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """Return records from `convert` as a batch."""
        return pa.RecordBatch.from_struct_array(pa.array(values, pa.struct(list(self.schema))))

    def read_at_once(self, data: bytes) -> pa.RecordBatch | None:
        """Return lines as a batch; None if they must be read one by one."""
        if not self.kinds.isdisjoint(BY_LINE) or len(data) > MOST_BYTES:
            return None
        try:
            if not has_a_document_a_line(data, len(split_documents(data))) or self._has_negative_zero(data):
                return None
            data.decode()
            table = self._read(data)
        except (*CANNOT_DECODE, pa.ArrowException):
            return None
        if not all(map(is_exact, table.columns)):
            return None
        return pa.RecordBatch.from_struct_array(table.combine_chunks().to_struct_array().combine_chunks())

    def _read(self, data: bytes) -> pa.Table:
        """Return Arrow's table. `data` must be valid JSON: a null between two records ends the process in Arrow."""
        return pj.read_json(
            pa.py_buffer(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=self.schema, unexpected_field_behavior="ignore" if self.ignores_unknown else "error"
            ),
        ).select(self.schema.names)

    def _has_negative_zero(self, data: bytes) -> bool:
        """Tell whether there may be an int -0 in a column of doubles."""
        return "double" in self.kinds and NEGATIVE_ZERO.search(data) is not None

    def _convert_fields(
        self, value: dict[str, Any], types: Mapping[str, ColumnType], path: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return an object with its fields converted."""
        converted = {}
        for name, inner in value.items():
            column = types.get(name)
            if column is not None:
                converted[name] = self._convert(inner, column, (*path, name))
            elif not self.ignores_unknown:
                raise MisfitError((*path, name), type_of(inner), None)
        return converted

    def _convert(self, value: Any, column: ColumnType, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
        """Return a value in the form that Arrow needs for a type."""
        if value is None:
            return None
        if column.kind == "struct" and isinstance(value, dict):
            return self._convert_fields(value, dict(column.fields), path)
        if column.item is not None and isinstance(value, list):
            return [self._convert(inner, column.item, (*path, "[]")) for inner in value]
        convert = CONVERT.get(column.kind)
        converted = None if convert is None else convert(value)
        if converted is None:
            raise MisfitError(path, type_of(value), column)
        return converted


def as_double(value: Any) -> float | None:  # noqa: ANN401 - any JSON
    """Return a number as a double; None for other values and for an int that would change."""
    if type(value) is float:
        return value
    if type(value) is not int:
        return None
    try:
        double = float(value)
    except OverflowError:
        return None
    return double if int(double) == value else None


def as_text(value: Any) -> str | None:  # noqa: ANN401 - any JSON
    """Return a value as compact JSON; None if it nests too deep for that."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return None


CONVERT: Final[dict[str, Callable[[Any], Any]]] = {
    "boolean": lambda value: value if type(value) is bool else None,
    "int64": lambda value: value if type(value) is int and value in INT64 else None,
    "double": as_double,
    "string": lambda value: value if type(value) is str else None,
    "json": as_text,
}
"""Kind → a function that returns a value in Arrow's form, or None if the value is of another kind."""


def is_exact(column: pa.ChunkedArray) -> bool:
    """Tell whether every double of a column is small enough that no int lost digits when it became a double."""
    kind = column.type
    if pa.types.is_struct(kind):
        return all(map(is_exact, column.flatten()))
    if pa.types.is_list(kind):
        return is_exact(pc.list_flatten(column))
    if not pa.types.is_floating(kind):
        return True
    bounds = pc.min_max(column).as_py()
    return (bounds["min"] or 0) > -MAX_EXACT and (bounds["max"] or 0) < MAX_EXACT


@lru_cache(maxsize=4)
def declared_columns(options: InputOptions) -> JsonColumns:
    """Return the columns that the options name.

    Raises:
        ValueError: a column is invalid.
    """
    return JsonColumns(types=parse_columns(options.schema or ()), ignores_unknown=options.unknown_fields == "Ignore")
