"""The map loop: passes records to `map_func` and its pairs to a sink. The innermost loops of most jobs are here.

`map_func` runs fused (see fusion) if that certainly has the same result; if not, its pairs are iterated. Any error it
raises becomes one that shows the current record. A job that skips bad records uses `skipping` instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import length_hint
from typing import Any, NoReturn

from podreduce.encoding.codec import UnsupportedTypeError
from podreduce.inputs import BLOCK_BYTES, RecordBlock
from podreduce.program.calling import cannot_aggregate, cannot_travel, check_pair, iterate
from podreduce.program.fusion import Fused, fuse
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import describe_record, raise_blamed
from podreduce.rows.row_stores import Aggregates, AggregationError, ListGroups
from podreduce.task.attempt import Attempt
from podreduce.task.skipping import RecordSkipper

__all__ = ["MapLoop", "Sink"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Where a map's pairs go.

    Attributes:
        add: takes one pair.
        records: returns how many pairs `add` has taken.
        store: where `add` puts them, if fused functions may put pairs there directly.
    """

    add: Callable[[Any, Any], None]
    records: Callable[[], int]
    store: ListGroups | Aggregates | None = None


class MapLoop:
    """One map task's loop over records. Pass it the shard's blocks, of some `block_bytes`, in turn; then `finish`.

    If there is a `skipper`, it iterates over the pairs.
    """

    block_bytes = BLOCK_BYTES

    def __init__(
        self, attempt: Attempt, program: LoadedProgram, sink: Sink, skipper: RecordSkipper | None = None
    ) -> None:
        self._attempt = attempt
        self._program = program
        self._sink = sink
        self._skipper = skipper
        self._member = f"{program.class_name}.map_func"
        self.fused = self._fuse()

    def _fuse(self) -> Fused | None:
        """Return the fused function for the current state of the store."""
        if self._skipper:
            return None
        is_text = self._attempt.plan.input_format == "Text"
        return fuse(self._program.map_func, self._add_or_blame, self._sink.store, is_text=is_text)

    def records(self) -> int:
        """Return how many pairs the sink has."""
        return self._sink.records() + (self.fused.records() if self.fused else 0)

    def finish(self) -> None:
        """Do nothing: nothing is pending."""

    def tier(self) -> dict[str, int]:
        """Return the counters that name the tier this task ran in."""
        tier = "declaredTasks" if isinstance(self._sink.store, Aggregates) else "genericTasks"
        return {tier: 1, "fusedTasks": int(self.fused is not None)}

    def map_block(self, block: RecordBlock) -> None:
        """Pass the records of one block to `map_func`.

        Raises:
            PodreduceError: the attempt has failed.
        """
        progress = self._attempt.progress
        if self.fused:
            self._run_fused(self.fused, block)
        elif self._skipper:
            self._skipper.drain(block)
        else:
            self._drain(block)
        progress.bytes += block.stored_bytes
        progress.records_out = self.records()
        if isinstance(self._sink.store, ListGroups) and self._sink.store.interns:
            self._weigh_interning(self._sink.store)

    def _weigh_interning(self, store: ListGroups) -> None:
        """Let the store stop interning; then fuse the function again."""
        store.weigh_interning(self.records())
        if self.fused and not store.interns:
            store.records += self.fused.records()
            self.fused = self._fuse()

    def _run_fused(self, fused: Fused, block: RecordBlock) -> None:
        """Call the fused function for each record."""
        map_func, values = fused.map_func, self._attempt.progress.follow(block.values)
        try:
            if fused.uses_key:
                for key, value in zip(block.keys(), values, strict=True):
                    map_func(key, value)
            else:
                for value in values:
                    map_func(None, value)
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            self._blame(as_from_generator(error), block, length_hint(values))

    def _drain(self, block: RecordBlock) -> None:
        """Call `map_func` for each record and add the pairs that it yields or returns."""
        map_func: Any = self._program.map_func
        add, member = self._sink.add, self._member
        values, pair = self._attempt.progress.follow(block.values), None
        try:
            for key, value in zip(block.keys(), values, strict=True):
                for pair in iterate(map_func(key, value), member):
                    if type(pair) is tuple and len(pair) == 2:  # noqa: PLR2004 - a pair
                        add(pair[0], pair[1])
                    else:
                        add(*check_pair(pair, member))
        except UnsupportedTypeError as error:
            self._blame(cannot_travel(self._member, pair[0] if pair else None, error), block, length_hint(values))
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            self._blame(error, block, length_hint(values))

    def _add_or_blame(self, key: Any, value: Any) -> None:  # noqa: ANN401 - anything the program yields
        """Add a pair of the fused function."""
        try:
            self._sink.add(key, value)
        except UnsupportedTypeError as error:
            raise cannot_travel(self._member, key, error) from None

    def _blame(self, error: BaseException, block: RecordBlock, left: int) -> NoReturn:
        """Raise the error that `error` means; `left` records of the block had not been read."""
        number = len(block.values) - left - 1
        record = describe_record(self._attempt.context.uri, block.key_unit, block.keys()[number], block.values[number])
        if isinstance(error, AggregationError):
            error = cannot_aggregate(self._program, error.key, error.error)
        raise_blamed(error, record)


def as_from_generator(error: BaseException) -> BaseException:
    """Return `error` as it would leave a generator (PEP 479): only its cause says where it was raised."""
    if not isinstance(error, StopIteration):
        return error
    raised = RuntimeError("generator raised StopIteration")
    raised.__cause__ = raised.__context__ = error
    return raised
