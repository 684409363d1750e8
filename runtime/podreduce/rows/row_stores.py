"""Map output in memory, grouped by key: every value (`ListGroups`), or only their aggregate (`Aggregates`).

A record costs one dict look-up. str, int and flat tuples of them are used as dict keys directly. Keys of other types
are encoded first, because 1, True and 1.0 would be one dict key. Distinct keys are encoded, hashed and sorted only when
they are written. Memory is granted in steps: `grant` gets the missing bytes and returns how many more may be used
before the next call; it may call `write`. A task's innermost loops are here, or are compiled into the program (see
fusion).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter
from sys import getsizeof
from typing import Any, Final, TypeAlias

from podreduce.encoding.codec import (
    SCALARS,
    Encoded,
    Key,
    Value,
    capture,
    decode_key,
    decode_value,
    encode_key,
    encode_keys,
    encode_value,
)
from podreduce.encoding.frame_packing import FramePacker
from podreduce.rows.aggregations import AGGREGATIONS, AggregationError, Several, aggregate, fixed
from podreduce.rows.exact_sums import CANNOT_AGGREGATE
from podreduce.rows.min_max import RANKED, is_passed_over, is_unranked, makes_room

__all__ = [
    "AGGREGATIONS",
    "MAX_SMALL_INT",
    "NUMBERS",
    "Aggregates",
    "AggregationError",
    "Grant",
    "ListGroups",
    "aggregate",
    "fixed",
    "is_plain",
    "size_of",
]

Grant: TypeAlias = Callable[[int], int]
"""How many bytes are missing → how many more bytes there are after the call."""

BucketOf: TypeAlias = Callable[[bytes], int]

GROUP_BYTES: Final = 240
"""The memory of a group besides its key: its share of the dict, its list with space for four values, sorting."""
INTERNED_BYTES: Final = 120
"""The memory of an interned value besides the object: its share of the dict."""
MAX_INTERNED: Final = 1 << 16
TRIAL_RECORDS: Final = 1 << 16
"""How many records come between two checks whether interning pays."""
MAX_SMALL_INT: Final = 1 << 63
"""Larger ints take more memory."""
NUMBERS: Final = frozenset({int, float, bool})
SLOT_BYTES: Final = 16
"""The memory of a value besides the object: its place in the list, which has space to grow, and malloc's rounding."""
PLAIN_KEYS: Final = frozenset({str, int})
TAGS_OF_PLAIN: Final = b"".join(encode_key(key)[:1] for key in ("", 0, ()))


class ListGroups:
    """Keys with all their values, in the order they came.

    Values that are str are interned: of equal values one object is kept. This takes a tenth of the memory; the value is
    encoded once a group, and hashed once. If few values are equal, interning stops.

    Attributes:
        kind: `list`.
        plain: values by key, for keys that are str, int or flat tuples of these; `others` by encoded key.
        interned: each str value kept so far, by itself; `interns` says whether interning is still on.
        records: how many records were added by `add`.
    """

    __slots__ = ("_grant", "_missed", "_room", "_weighed", "interned", "interns", "kind", "others", "plain", "records")

    def __init__(self, grant: Grant) -> None:
        self.kind = "list"
        self._grant = grant
        self._room = 0
        self.plain: dict[Any, list[Value | Encoded]] = {}
        self.others: dict[bytes, list[Value | Encoded]] = {}
        self.interned: dict[str, str] = {}
        self.interns = True
        self.records = 0
        self._missed = 0
        self._weighed = (0, 0)

    def add(self, key: Key, value: Value) -> None:
        """Add one record as it is now.

        Raises:
            UnsupportedTypeError: the key or the value has an unsupported type.
        """
        if type(value) is str and self.interns:
            value, size = self._intern(value)
        elif type(value) in SCALARS:
            is_shared = type(value) is int and -5 <= value < 257  # noqa: PLR2004 - Python has one object of each
            size = SLOT_BYTES if is_shared else getsizeof(value) + SLOT_BYTES
        else:
            value = capture(value)
            size = size_of(value) + SLOT_BYTES
        groups: dict[Any, list[Value | Encoded]] = self.plain
        if type(key) is not str and not is_plain(key):
            key = normalise(key)
            groups = self.others if type(key) is bytes else self.plain
        values = groups.get(key)
        if values is None:
            groups[key] = values = []
            size += size_of(key) + GROUP_BYTES
        values.append(value)
        self.records += 1
        self._room -= size
        if self._room < 0:
            self._room = self._grant(-self._room)

    def _intern(self, value: str) -> tuple[str, int]:
        """Return the object that represents `value`, and how many bytes it takes to keep it once more."""
        same = self.interned.get(value)
        if same is not None:
            return same, SLOT_BYTES
        self._missed += 1
        size = getsizeof(value) + SLOT_BYTES
        if len(self.interned) < MAX_INTERNED:
            self.interned[value] = value
            size += INTERNED_BYTES
        return value, size

    def weigh_interning(self, records: int) -> None:
        """Stop interning if at least half of the values were new; `records` counts all, fused ones too."""
        came = records - self._weighed[0]
        if came < TRIAL_RECORDS:
            return
        if 2 * (self._missed - self._weighed[1]) > came:
            self.interns = False
            self.interned.clear()
        self._weighed = (records, self._missed)

    def settle(self) -> None:
        """Make sure that all records are in the groups: they always are."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.plain and not self.others

    def handles(self) -> dict[str, object]:
        """Return the names that `yield_rewriting` uses, and their objects."""
        return {"plain": self.plain, "get": self.plain.get, "grant": self._grant, "interned": self.interned.get}

    def groups(self) -> Iterator[tuple[Key, list[Value | Encoded]]]:
        """Yield each key, encoded if it is in `others`, with its list of values, which may be changed."""
        yield from self.plain.items()
        yield from self.others.items()

    def used_bytes(self) -> int:
        """Measure how many bytes all groups take."""
        interned = sum(map(getsizeof, self.interned)) + INTERNED_BYTES * len(self.interned)
        return interned + sum(
            GROUP_BYTES + size_of(key) + sum(map(self._own_bytes, values)) + SLOT_BYTES * len(values)
            for key, values in self.groups()
        )

    def _own_bytes(self, value: Value | Encoded) -> int:
        """Return how many bytes a value takes that is not interned."""
        return 0 if type(value) is str and self.interned.get(value) is value else size_of(value)

    def write(self, packer: FramePacker, buckets: int, bucket_of: BucketOf) -> None:
        """Write all groups in (bucket, key) order, and forget them."""
        for bucket, pairs in enumerate(sorted_by_bucket(self.plain, self.others, buckets, bucket_of)):
            for encoded, key in pairs:
                values = self.others.pop(encoded) if key is encoded else self.plain.pop(key)
                packer.add_values(bucket, encoded, values)
        self.interned.clear()


class Aggregates:
    """Keys with the aggregate of their values so far.

    Attributes:
        kind: the aggregation.
        plain: aggregates, by keys as in ListGroups; `others` likewise.
        ranges: by key, as in these, the values that come before its aggregate and cannot be in it; see `ranking`.
        uncounted: str keys that came with the value 1, not added up yet; call `settle` when they are some thousands.
    """

    __slots__ = ("_grant", "_room", "_start", "_step", "_taken", "kind", "others", "plain", "ranges", "uncounted")

    def __init__(self, aggregation: str, grant: Grant) -> None:
        self.kind = aggregation
        self._start, self._step = AGGREGATIONS[aggregation]
        self._grant = grant
        self._room = 0
        self.plain: dict[Any, Value] = {}
        self.others: dict[bytes, Value] = {}
        self.ranges: dict[Any, list[Value]] = {}
        self.uncounted: list[str] = []
        self._taken = 0

    @property
    def records(self) -> int:
        """How many records were added by `add`."""
        return self._taken + len(self.uncounted)

    def add(self, key: Key, value: Value) -> None:
        """Add one record as it is now.

        Raises:
            UnsupportedTypeError: the key or the value has an unsupported type.
            AggregationError: the values of this key cannot be aggregated.
        """
        slots: dict[Any, Value] = self.plain
        if type(key) is not str and not is_plain(key):
            key = normalise(key)
            slots = self.others if type(key) is bytes else self.plain
        is_scalar = type(value) in SCALARS
        if not is_scalar and self.kind != "count":
            value = fixed(value)
        known = slots.get(key, self)  # this store is never a value
        if (known is self or not is_scalar) and self.kind in RANKED and is_unranked(value):
            self._add_unranked(slots, key, value)
            return
        try:
            slots[key] = self._start(value) if known is self else self._step(known, value)
        except CANNOT_AGGREGATE as error:
            if not (self.kind in RANKED and is_passed_over(value, known)):
                raise AggregationError(decode_key(key) if type(key) is bytes else key, error) from error
        self._taken += 1
        new = slots[key]
        if known is self:
            self._charge(size_of(key) + size_of(new) + GROUP_BYTES)
        elif new is not known and (type(new) not in NUMBERS or abs(new) > MAX_SMALL_INT):
            self._charge(size_of(new) - size_of(known))

    def _add_unranked(self, slots: dict[Any, Value], key: Key, value: Value) -> None:
        """Add a value that has no order among all others."""
        self._taken += 1
        known = self.ranges.get(key, [])
        kept = [*known, slots[key]] if key in slots else [*known]
        try:
            if not makes_room(self.kind, kept, value):
                return
        except CANNOT_AGGREGATE as error:
            raise AggregationError(decode_key(key) if type(key) is bytes else key, error) from error
        kept.append(decode_value(encode_value(value)))  # tuples that share the object of their NaN are equal to Python
        slots.pop(key, None)
        self.ranges[key] = kept
        self._charge(size_of(kept) - size_of(known) if known else size_of(kept) + size_of(key) + GROUP_BYTES)

    def take_distinct(self, keys: list[Key], values: list[Value]) -> bool:
        """Add records with one key each, all together; False, and none is added, if `add` must do it one by one."""
        if {*map(type, keys)} != {str} or {*map(type, values)} != {int} or not self.plain.keys().isdisjoint(keys):
            return False
        self.plain.update(zip(keys, map(self._start, values), strict=True))
        self._taken += len(keys)
        self._charge(sum(map(getsizeof, keys)) + sum(map(getsizeof, values)) + len(keys) * GROUP_BYTES)
        return True

    def _charge(self, size: int) -> None:
        """Use up granted memory."""
        self._room -= size
        if self._room < 0:
            self._room = self._grant(-self._room)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.plain and not self.others and not self.ranges

    def handles(self) -> dict[str, object]:
        """Return the names that `yield_rewriting` uses, and their objects."""
        return {"plain": self.plain, "get": self.plain.get, "uncounted": self.uncounted, "count": self.settle}

    def settle(self) -> None:
        """Make sure that all records are in the groups: count the keys in `uncounted`."""
        keys, known = self.uncounted, len(self.plain)
        Counter.update(self.plain, keys)  # type: ignore[call-overload] # its C loop takes any dict, which is faster
        self._taken += len(keys)
        keys.clear()
        grown = len(self.plain) - known
        if grown:  # a dict keeps its order: the new keys are its last
            self._charge(sum(map(getsizeof, islice(reversed(self.plain), grown))) + grown * GROUP_BYTES)

    def used_bytes(self) -> int:
        """Measure how many bytes all groups take."""
        groups = (self.plain, self.others, self.ranges)
        return sum(GROUP_BYTES * len(each) + sum(map(size_of, chain(each, each.values()))) for each in groups)

    def write(self, packer: FramePacker, buckets: int, bucket_of: BucketOf) -> None:
        """Write all groups in (bucket, key) order, and forget them; `uncounted` stays."""
        for key, ranges in self.ranges.items():
            slots: dict[Any, Value] = self.others if type(key) is bytes else self.plain
            slots[key] = Several((*ranges, slots[key]) if key in slots else ranges)
        self.ranges.clear()
        for bucket, pairs in enumerate(sorted_by_bucket(self.plain, self.others, buckets, bucket_of)):
            values = [self.others.pop(encoded) if key is encoded else self.plain.pop(key) for encoded, key in pairs]
            pack_aggregates(packer, bucket, [encoded for encoded, _ in pairs], values)


def pack_aggregates(packer: FramePacker, bucket: int, keys: list[bytes], values: list[Value]) -> None:
    """Pass a bucket's keys, each with its aggregate, to a packer."""
    if Several not in set(map(type, values)):
        packer.add_ones(bucket, keys, values)
        return
    for key, value in zip(keys, values, strict=True):
        packer.add_values(bucket, key, [*value] if type(value) is Several else [value])


def is_plain(key: Key) -> bool:
    """Tell whether no key of another type equals `key`, so that it may be a dict's key itself."""
    kind = type(key)
    return kind is str or kind is int or (kind is tuple and PLAIN_KEYS.issuperset(map(type, key)))


def normalise(key: Key) -> Key:
    """Return the dict key for `key`, which is not plain: an equal plain key (1 for 1.0), else its encoding."""
    encoded = encode_key(key)
    if encoded[0] in TAGS_OF_PLAIN:
        key = decode_key(encoded)
        if is_plain(key):
            return key
    return encoded


def size_of(item: Any) -> int:  # noqa: ANN401 - a key, a value or an encoding
    """Return how much memory a key or a value takes, with its parts."""
    kind = type(item)
    if kind is tuple or kind is list:
        return getsizeof(item) + sum(map(size_of, item))
    if kind is dict:
        return getsizeof(item) + sum(map(size_of, item)) + sum(map(size_of, item.values()))
    return getsizeof(item)


def sorted_by_bucket(
    plain: Collection[Key], others: Iterable[bytes], buckets: int, bucket_of: BucketOf
) -> Iterator[list[tuple[bytes, Key]]]:
    """Yield each bucket's keys in order, each after its encoding; an encoded key is the same object twice."""
    by_bucket: list[list[tuple[bytes, Key]]] = [[] for _ in range(buckets)]
    for encoded, key in zip(encode_keys(plain), plain, strict=True):
        by_bucket[bucket_of(encoded)].append((encoded, key))
    for encoded in others:
        by_bucket[bucket_of(encoded)].append((encoded, encoded))
    for bucket, pairs in enumerate(by_bucket):
        by_bucket[bucket] = []
        yield sorted(pairs, key=itemgetter(0))
