"""The types that a column of JSON can have, and how to write them: `int64`, `list<string>`, `struct<x: double>`.

Rule: pure; describes types and does nothing with values. `json` is any value, as its text; `null` has no values.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from podreduce.contract.plan import InputColumn

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_DEPTH", "ColumnType", "arrow_schema", "parse_columns", "parse_type"]

MAX_DEPTH: Final = 16
"""How deep lists and structs may nest."""
SIMPLE: Final = ("boolean", "int64", "double", "string", "json", "null")
PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TOKEN: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*"|[<>:,]|$)')
EXPECTED: Final = f"expected {', '.join(SIMPLE)}, list<…> or struct<name: …, …>"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type: `kind` is one of `SIMPLE`, `list` (of `item`) or `struct` (of `fields`)."""

    kind: str
    item: "ColumnType | None" = None
    fields: "tuple[tuple[str, ColumnType], ...]" = ()

    def __str__(self) -> str:
        """Return the type as text."""
        if self.item is not None:
            return f"list<{self.item}>"
        if self.kind == "struct":
            return f"struct<{', '.join(f'{write_name(name)}: {each}' for name, each in self.fields)}>"
        return self.kind

    def kinds(self) -> set[str]:
        """Return the kinds of the type and of all types within it."""
        inner = (self.item,) if self.item is not None else tuple(each for _, each in self.fields)
        return {self.kind}.union(*(each.kinds() for each in inner))

    def to_arrow(self) -> "pa.DataType":
        """Return the type as Arrow's."""
        import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

        if self.item is not None:
            return pa.list_(self.item.to_arrow())
        if self.kind == "struct":
            return pa.struct([pa.field(name, each.to_arrow()) for name, each in self.fields])
        simple = {"boolean": pa.bool_(), "int64": pa.int64(), "double": pa.float64(), "null": pa.null()}
        return simple.get(self.kind, pa.string())


def write_name(name: str) -> str:
    """Return a field's name as text within a type."""
    return name if PLAIN_NAME.fullmatch(name) else json.dumps(name)


def parse_columns(columns: Iterable[InputColumn]) -> dict[str, ColumnType]:
    """Return the types of columns by their names.

    Raises:
        ValueError: a type is invalid, or two columns have one name.
    """
    types: dict[str, ColumnType] = {}
    for column in columns:
        if column.name in types:
            raise ValueError(f"two columns are named {column.name!r}: rename or remove one")
        try:
            types[column.name] = parse_type(column.type)
        except ValueError as error:
            raise ValueError(f"the type of the column {column.name!r} cannot be read: {error}") from None
    return types


def parse_type(text: str) -> ColumnType:
    """Return the type with this text.

    Raises:
        ValueError: the text is invalid.
    """
    parser = TypeParser(text)
    found = parser.take_type(0)
    parser.take("")
    return found


class TypeParser:
    """Reads a type from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def next_token(self) -> str:
        """Return the next token and advance past it; it is empty at the end."""
        found = TOKEN.match(self._text, self._at)
        if found is None:
            raise ValueError(f"{self._text!r}: at character {self._at}: {EXPECTED}")
        self._at = found.end()
        return found[1]

    def take(self, *wanted: str) -> str:
        """Return the next token, which must be one of `wanted`."""
        start = self._at
        token = self.next_token()
        if token not in wanted:
            signs = " or ".join(repr(each) if each else "the end" for each in wanted)
            raise ValueError(f"{self._text!r}: at character {start}: expected {signs}")
        return token

    def take_type(self, depth: int) -> ColumnType:
        """Return the type that comes next."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{self._text!r}: nests deeper than {MAX_DEPTH}: declare the deepest part as json")
        start = self._at
        kind = self.next_token()
        if kind in SIMPLE:
            return ColumnType(kind)
        if kind not in ("list", "struct"):
            raise ValueError(f"{self._text!r}: at character {start}: {EXPECTED}")
        self.take("<")
        if kind == "struct":
            return ColumnType("struct", fields=tuple(self.take_fields(depth + 1).items()))
        item = self.take_type(depth + 1)
        self.take(">")
        return ColumnType("list", item=item)

    def take_fields(self, depth: int) -> dict[str, ColumnType]:
        """Return the fields of a struct; read through its closing `>`."""
        fields: dict[str, ColumnType] = {}
        token = self.next_token()
        while token != ">":  # noqa: S105 - not a password
            name = self.read_name(token)
            if name in fields:
                raise ValueError(f"{self._text!r}: names the field {name!r} twice")
            self.take(":")
            fields[name] = self.take_type(depth)
            token = self.next_token() if self.take(",", ">") == "," else ">"
        return fields

    def read_name(self, token: str) -> str:
        """Return a token as a field's name."""
        if PLAIN_NAME.fullmatch(token):
            return token
        if not token.startswith('"'):
            raise ValueError(f"{self._text!r}: before character {self._at}: expected a field's name")
        name: str = json.loads(token)
        return name


def arrow_schema(types: dict[str, ColumnType]) -> "pa.Schema":
    """Return the columns as Arrow's schema."""
    import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

    return pa.schema([pa.field(name, each.to_arrow()) for name, each in types.items()])
