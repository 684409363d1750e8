"""Lines of text as edges and as vertices.

A line is `source target [weight]` or, in files whose names begin with `nodes`, `name [group]`. The fields are separated
by tabs if the line has one, else by commas, else by spaces. Empty lines and those that begin with `#` or `%` are left
out, and so is a first line that names the columns (`source`, `source_id`, `name`). Fields have no quotes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["WEIGHT_UNIT", "Edges", "check_total", "has_nodes", "parse_edges", "parse_nodes"]

WEIGHT_UNIT = 1_000_000
"""A weight of 1 in the units that are stored."""
MOST_WEIGHT = 1e9
MOST_TOTAL = 2.0**62
"""So much do all weights together have at both ends, in millionths, so that no sum overflows."""
COLUMN = r"(?i)^{}([_ ]?(id|name|node|vertex))?\s*([,\t ]|$)"
QUOTED = r'(^|[,\t])\s*"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Columns of edges: the names at both ends, and the weights in millionths."""

    sources: Any
    targets: Any
    weights: npt.NDArray[np.int64]


def has_nodes(uri: str) -> bool:
    """Tell whether an object describes vertices, by the last part of its name."""
    return uri.rsplit("/", 1)[-1].startswith("nodes")


def parse_edges(batch: Any) -> Edges:  # noqa: ANN401 - a RecordBatch with the columns key and value
    """Return the edges of a batch of lines.

    Raises:
        ValueError: a line has fewer than two fields, an empty name, or a weight that is no number from 0 to a billion.
    """
    lines = content(batch, "source")
    fields = split_fields(lines)
    sources, targets = field(fields, 0), field(fields, 1)
    check(lines, pc.and_(is_name(sources), is_name(targets)), "an edge is: source target [weight]")
    return Edges(sources=sources, targets=targets, weights=parse_weights(lines, field(fields, 2)))


def parse_nodes(batch: Any) -> tuple[Any, Any]:  # noqa: ANN401 - likewise
    """Return the names and the groups of a batch of lines; without a group it is the empty text.

    Raises:
        ValueError: a line has no name.
    """
    lines = content(batch, "name")
    fields = split_fields(lines)
    names = field(fields, 0)
    check(lines, is_name(names), "a vertex is: name [group]")
    return names, pc.fill_null(field(fields, 1), "")


def content(batch: Any, header: str) -> Any:  # noqa: ANN401 - arrays
    """Return the lines that are neither empty, nor comments, nor a header at the start of the object."""
    lines = pc.utf8_trim_whitespace(pc.utf8_ltrim(batch["value"], "\ufeff"))
    skipped = pc.or_(pc.equal(lines, ""), pc.match_substring_regex(lines, "^[#%]"))
    names = pc.and_(pc.equal(batch["key"], 0), pc.match_substring_regex(lines, COLUMN.format(header)))
    lines = lines.filter(pc.invert(pc.or_(skipped, names)))
    unquoted = pc.invert(pc.match_substring_regex(lines, QUOTED))
    check(lines, unquoted, "fields have no quotes: write names with commas between tabs")
    return lines


def split_fields(lines: Any) -> Any:  # noqa: ANN401 - arrays
    """Return the fields of each line, as a list column."""
    has_tab = pc.match_substring(lines, "\t")
    has_comma = pc.match_substring(lines, ",")
    with_tabs = pc.if_else(
        has_tab,
        lines,
        pc.if_else(has_comma, pc.replace_substring(lines, ",", "\t"), pc.replace_substring_regex(lines, " +", "\t")),
    )
    return pc.split_pattern(with_tabs, "\t")


def field(fields: Any, number: int) -> Any:  # noqa: ANN401 - arrays
    """Return one field of each line, without spaces around it; null where the line is shorter."""
    lengths = pc.fill_null(pc.list_value_length(fields), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    places = pa.array(starts + number, mask=lengths <= number) if len(lengths) else pa.array([], pa.int64())
    return pc.utf8_trim_whitespace(fields.flatten().take(places))


def is_name(names: Any) -> Any:  # noqa: ANN401 - arrays
    """Tell of each field whether it is there and not empty."""
    return pc.fill_null(pc.not_equal(names, ""), False)  # noqa: FBT003 - the value of pyarrow's argument


def parse_weights(lines: Any, fields: Any) -> npt.NDArray[np.int64]:  # noqa: ANN401 - arrays
    """Return the weights in millionths: 1 where a line has none."""
    given = pc.if_else(is_name(fields), fields, "1")
    numeric = pc.match_substring_regex(given, r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$")
    check(lines, numeric, "a weight is a number from 0 to a billion")
    values = pc.cast(pc.utf8_ltrim(given, "+"), pa.float64()).to_numpy(zero_copy_only=False)
    check(lines, pa.array(values <= MOST_WEIGHT), "a weight is a number from 0 to a billion")
    units: npt.NDArray[np.int64] = np.rint(values * WEIGHT_UNIT).astype(np.int64)
    check(
        lines, pa.array((values == 0) | (units > 0)), "a weight above 0 is at least a millionth: multiply all of them"
    )
    return units


def check_total(weights: npt.NDArray[np.int64]) -> None:
    """Check that weights in millionths can be added up.

    Raises:
        ValueError: their sum may not fit into 64 bits.
    """
    if weights.sum(dtype=np.float64) > MOST_TOTAL:
        raise ValueError("the weights of all edges add up to more than 2.3e12: divide all weights by a thousand")


def check(lines: Any, sound: Any, rule: str) -> None:  # noqa: ANN401 - arrays
    """Check all lines.

    Raises:
        ValueError: one is not sound; the message shows it.
    """
    bad = lines.filter(pc.invert(sound))
    if len(bad):
        raise ValueError(f"{rule}; this line is not: {bad[0].as_py()[:200]!r}")
