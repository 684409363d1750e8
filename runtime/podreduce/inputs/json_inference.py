"""Finds the columns of JSON lines from a sample of them. Rule: pure; equal samples give equal columns.

A field has the type that most of the sample's records have. A number is `int64`, or `double` if some are not ints. A
record that does not fit is a bad record when it is read: no value is ever guessed.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from podreduce.contract.plan import InputColumn
from podreduce.inputs.column_types import MAX_DEPTH, ColumnType
from podreduce.inputs.json_documents import decode_document

__all__ = ["infer_columns", "type_of"]

MOST_COLUMNS: Final = 1000
MOST_FIELDS: Final = 250
"""A struct with more fields is probably a map with arbitrary keys: it becomes `json`."""
INT64: Final = range(-(2**63), 2**63)


class Evidence:
    """What was seen at one place of the records: how many values of which kind, and the same for their parts."""

    __slots__ = ("fields", "item", "kinds")

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.fields: dict[str, Evidence] = {}
        self.item: Evidence | None = None

    def add(self, value: Any, depth: int = 0) -> None:  # noqa: ANN401 - any JSON
        """Add a value."""
        kind = kind_of(value)
        if kind in ("list", "struct") and depth > MAX_DEPTH:
            kind = "json"
        self.kinds[kind] += 1
        if kind == "struct":
            for name, inner in value.items():
                self.fields.setdefault(name, Evidence()).add(inner, depth + 1)
        elif kind == "list":
            self.item = self.item or Evidence()
            for inner in value:
                self.item.add(inner, depth + 1)

    def as_type(self) -> ColumnType:
        """Return the type of most values; if several are equally frequent, the one seen first."""
        kind = self._most_frequent()
        if kind == "list" and self.item is not None:
            return ColumnType("list", item=self.item.as_type())
        if kind == "struct" and len(self.fields) > MOST_FIELDS:
            return ColumnType("json")
        if kind == "struct":
            return ColumnType("struct", fields=tuple((name, each.as_type()) for name, each in self.fields.items()))
        return ColumnType(kind)

    def _most_frequent(self) -> str:
        """Return the kind of most values; ints and other numbers count together."""
        counted: Counter[str] = Counter()
        for kind, times in self.kinds.items():
            if kind != "null":
                counted["int64" if kind == "double" else kind] += times
        kind = next((kind for kind, _ in counted.most_common(1)), "null")
        return "double" if kind == "int64" and self.kinds["double"] else kind


def kind_of(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the kind of type that a value has."""
    if type(value) is int:
        return "int64" if value in INT64 else "json"
    kinds = {bool: "boolean", float: "double", str: "string", list: "list", dict: "struct"}
    return kinds.get(type(value), "null")


def type_of(value: Any) -> ColumnType:  # noqa: ANN401 - any JSON
    """Return the type of one value."""
    evidence = Evidence()
    evidence.add(value)
    return evidence.as_type()


def infer_columns(lines: Iterable[bytes]) -> tuple[InputColumn, ...]:
    """Return the columns of a sample of lines, in the order in which their fields appear.

    Lines that are not objects are ignored: they are bad records when they are read. Columns after the thousandth are
    ignored too, and records with such a field are bad.
    """
    evidence = Evidence()
    for value in filter(None, map(parse_object, lines)):
        evidence.add(value)
    columns = list(evidence.fields.items())[:MOST_COLUMNS]
    return tuple(InputColumn(name=name, type=str(each.as_type())) for name, each in columns)


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line; None if it has none. Bytes that are not UTF-8 may be read as U+FFFD."""
    try:
        value = decode_document(line.decode("utf-8", "replace").encode())
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, as is one for too many digits
        return None
    return value if isinstance(value, dict) else None
