"""The map loop of a job that skips bad records: either all pairs of a record are added, or none.

So a record's pairs are held until `map_func` is done with it, and `map_func` is never fused. A record is bad if its
format cannot decode it, if the program raises an error in `map_func`, or if it yields something invalid. Later errors
(of a combiner, of a partition function, a full disk) are not the fault of a record, and fail the attempt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from podreduce.contract.errors import InputError, ProgramError, ProgramInvalidError
from podreduce.encoding.codec import SCALARS, UnsupportedTypeError, encode_key
from podreduce.inputs import RecordBlock
from podreduce.outputs import PartWriter
from podreduce.program.calling import cannot_aggregate, cannot_travel, check_pair, iterate
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import raise_blamed
from podreduce.rows.row_stores import Aggregates, AggregationError, ListGroups, fixed, is_plain
from podreduce.task.attempt import Attempt
from podreduce.task.quarantine import NamedRecord, Quarantine

__all__ = [
    "RecordSkipper",
    "TwoSteps",
    "find_blame",
    "salvage_block",
    "set_aside",
    "steps_to_part",
    "steps_to_store",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSteps:
    """How a record's pairs are written in two steps: all are prepared, and if that succeeds, all are appended.

    Attributes:
        prepare: (key, value) → a copy of the pair that cannot change. Raises an error if it is invalid.
        append: takes the prepared pairs of a record.
        plain_as_is: `prepare` returns a pair of a str and a scalar unchanged.
    """

    prepare: Callable[[Any, Any], Any]
    append: Callable[[list[Any]], None]
    plain_as_is: bool = False


class RecordSkipper:
    """Iterates over the pairs of `map_func`, in a job that may have bad records."""

    def __init__(self, attempt: Attempt, quarantine: Quarantine, program: LoadedProgram, steps: TwoSteps) -> None:
        self._attempt = attempt
        self._quarantine = quarantine
        self._program = program
        self._member = f"{program.class_name}.map_func"
        self._steps = steps

    def drain(self, block: RecordBlock) -> None:
        """Call `map_func` for each record of a block; append the good records' pairs, and set the bad records aside.

        Raises:
            PodreduceError: the attempt has failed.
        """
        block, values = self._decode(block)
        counters, append = self._attempt.counters, self._steps.append
        map_func: Any = self._program.map_func
        for key, value in zip(block.keys(), self._attempt.progress.follow(values), strict=True):
            counters.mark()
            try:
                held = self._hold(map_func(key, value))
            except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
                set_aside(self._name(block, key, value), error, self._attempt, self._quarantine)
                continue
            counters.keep()
            try:
                append(held)
            except BaseException as error:  # noqa: BLE001 - likewise
                self._blame(self._name(block, key, value), error)

    def _hold(self, pairs: Any) -> list[Any]:  # noqa: ANN401 - anything the program returns
        """Return a record's pairs, prepared. If a pair needs no preparation, nothing is called for it."""
        steps, member = self._steps, self._member
        prepare, as_is = steps.prepare, steps.plain_as_is
        held: list[Any] = []
        for pair in iterate(pairs, member):
            if as_is and type(pair) is tuple and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) in SCALARS:  # noqa: PLR2004 - a pair
                held.append(pair)
            else:
                held.append(prepare(*check_pair(pair, member)))
        return held

    def _name(self, block: RecordBlock, key: Any, value: Any) -> NamedRecord:  # noqa: ANN401 - a record's
        """Return a record of a block for messages."""
        return NamedRecord(uri=self._attempt.context.uri, unit=block.key_unit, key=key, value=value)

    def _decode(self, block: RecordBlock) -> tuple[RecordBlock, Sequence[Any]]:
        """Return the decodable part of a block, and its values."""
        try:
            return block, block.values
        except InputError as error:
            sound = salvage_block(block, error, self._attempt, self._quarantine, as_columns=False)
        return sound, sound.values

    def _blame(self, record: NamedRecord, error: BaseException) -> NoReturn:
        """Raise the error that `error` means; it is not a record's fault."""
        if isinstance(error, AggregationError):
            error = cannot_aggregate(self._program, error.key, error.error)
        raise_blamed(error, str(record))


def salvage_block(
    block: RecordBlock, error: InputError, attempt: Attempt, quarantine: Quarantine, *, as_columns: bool
) -> RecordBlock:
    """Return the decodable part of a block whose decoding raised `error`, and set the other records aside.

    Raises:
        InputError: the object itself is bad.
    """
    if block.salvage is None:
        raise error
    salvaged = block.salvage(as_columns)
    attempt.progress.records += len(salvaged.bad)
    for bad in salvaged.bad:
        record = NamedRecord(uri=attempt.context.uri, unit=salvaged.block.key_unit, key=bad.key, value=bad.data)
        quarantine.add(record, bad.error)
    return salvaged.block


def set_aside(record: NamedRecord, error: BaseException, attempt: Attempt, quarantine: Quarantine) -> None:
    """Skip a record for which the program raised `error`, and undo what it has counted since the last mark.

    Raises:
        PodreduceError: the error is not the program's, or this is one bad record too many.
    """
    blamed = find_blame(error)
    attempt.counters.undo()
    quarantine.add(record, blamed)


def find_blame(error: BaseException) -> ProgramError:
    """Return the program's error for `error`, which was raised by a call into the program.

    Raises:
        BaseException: it is not the program's error, see `raise_blamed`, or no record's: all would raise it.
    """
    try:
        raise_blamed(error, "")
    except ProgramInvalidError:
        raise
    except ProgramError as blamed:
        return blamed


def steps_to_store(store: ListGroups | Aggregates, member: str) -> TwoSteps:
    """Return how pairs go into the map's store; errors are found before anything is added."""
    only_counts = store.kind == "count"  # then values may be anything
    add = store.add

    def prepare(key: Any, value: Any) -> tuple[Any, Any]:  # noqa: ANN401 - anything the program yields
        try:
            if type(key) is not str and not is_plain(key):
                encode_key(key)
            return key, value if only_counts or type(value) in SCALARS else fixed(value)
        except UnsupportedTypeError as error:
            raise cannot_travel(member, key, error) from None

    def append(pairs: list[tuple[Any, Any]]) -> None:
        for key, value in pairs:
            add(key, value)

    return TwoSteps(prepare=prepare, append=append, plain_as_is=True)


def steps_to_part(part: PartWriter, as_key: Callable[[Any], Any]) -> TwoSteps:
    """Return how pairs go into an output part, their keys through `as_key`."""

    def append(prepared: list[Any]) -> None:
        for each in prepared:
            part.append(each)

    return TwoSteps(prepare=lambda key, value: part.prepare(as_key(key), value), append=append)
