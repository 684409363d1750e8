"""Objects of JSON as columns of the types that hold for the whole job, whatever a block's records have.

Arrow reads a block at once. Where it does not take it, or could take it otherwise than `json_lines` does, each record
is decoded by itself: so both accept the same lines, and the record that does not fit is found and named.
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
"""From here on not every int is a double."""
NEGATIVE_ZERO: Final = re.compile(rb"-0(?![.0-9eE])")
"""An int, hence 0; Arrow makes -0.0 of it where the column is double."""
BY_LINE: Final = {"json", "null"}
"""Types that Arrow does not read; of lists of nulls it makes arrays that are none."""
SHOWN_TYPE: Final = 200

split_documents = msgspec.json.Decoder(msgspec.Raw).decode_lines


class MisfitError(ValueError):
    """A value that a column does not take.

    Attributes:
        path: the field; `found` is the type of what it has, `expected` the column's, None where there is no column.
    """

    def __init__(self, path: Sequence[str], found: ColumnType, expected: ColumnType | None) -> None:
        super().__init__()
        self.path = path
        self.found = found
        self.expected = expected

    def as_input_error(self, uri: str, offset: int) -> InputError:
        """Return what it means for the record at `offset` of an object."""
        field, found = ".".join(self.path), f"{self.found}"[:SHOWN_TYPE]
        if self.expected is None:
            declared = ColumnType("struct", fields=((self.path[0], self.found),)) if self.path else self.found
            return InputError(
                f"{uri}: the record at byte {offset} has the field {field} ({found}), which is no column of the input "
                f"(input.schema, or without it what a sample of the input has); name all columns in input.schema, this "
                f"one as {f'{declared}'[7:-1][:SHOWN_TYPE]}, or set input.unknownFields: Ignore"
            )
        return InputError(
            f"{uri}: the record at byte {offset} has {found} in the field {field}, whose column is "
            f"{f'{self.expected}'[:SHOWN_TYPE]} (by input.schema, or without it by a sample of the input); correct the "
            f"object, or give {write_name(self.path[0])} another type in input.schema: json takes any value, as text"
        )


@dataclass(frozen=True, kw_only=True)
class JsonColumns:
    """The columns of a job's input; with `ignores_unknown`, fields that are none are left out."""

    types: Mapping[str, ColumnType]
    ignores_unknown: bool = False

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow has them."""
        return arrow_schema(dict(self.types))

    @cached_property
    def kinds(self) -> set[str]:
        """The kinds of all types."""
        return ColumnType("struct", fields=tuple(self.types.items())).kinds()

    def convert(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a record as Arrow takes it for these columns.

        Raises:
            MisfitError: it does not fit.
        """
        return self._convert_fields(value, self.types, ())

    def to_batch(self, values: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """Return records that `convert` returned as a batch."""
        return pa.RecordBatch.from_struct_array(pa.array(values, pa.struct(list(self.schema))))

    def read_at_once(self, data: bytes) -> pa.RecordBatch | None:
        """Return lines as a batch, or None: they must be read one by one."""
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
        """Return what Arrow reads. `data` must be sound JSON: a null between two records ends Arrow's process."""
        return pj.read_json(
            pa.py_buffer(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=self.schema, unexpected_field_behavior="ignore" if self.ignores_unknown else "error"
            ),
        ).select(self.schema.names)

    def _has_negative_zero(self, data: bytes) -> bool:
        """Say whether there may be an int -0 where a column is double."""
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
        """Return a value as Arrow takes it for a type."""
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
    """Return a number as a double, None if it is none or would be another one then."""
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
    """Return a value as compact JSON, None where it nests too deep for that."""
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
"""Kind → what returns a value of that kind as Arrow takes it, None if it is none."""


def is_exact(column: pa.ChunkedArray) -> bool:
    """Say whether no double of a column is so large that the int which it may have been is another one."""
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
        ValueError: they are none.
    """
    return JsonColumns(types=parse_columns(options.schema or ()), ignores_unknown=options.unknown_fields == "Ignore")
