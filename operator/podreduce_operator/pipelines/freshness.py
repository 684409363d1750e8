"""Which steps of a pipeline must run, and which are reused because nothing that they depend on has changed.

Two rules, evaluated anew at every pass, on records, digests and what data is left:

1. *Fresh*, in order: a step is fresh if its record names the same spec and the same inputs. While a step that it reads
   is not fresh, this is undecided; it is asked again when that step is complete. A step that is complete in this run is
   fresh.
2. *Needed*, backwards: a step whose output somebody sees, if it is not fresh, or undecided, or its data is gone or was
   replaced; a step whose record is asked for, if it is not fresh, or undecided; the steps that a needed step reads, if
   they are not fresh, or undecided; and a fresh step whose data is gone or was replaced, once a step that reads it
   certainly runs. All else is reused.

So a step whose inputs come out as before ends the work there ("early cutoff": Mokhov, Mitchell, Peyton Jones, "Build
systems à la carte", ICFP 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from podreduce_operator.model.pipelines import Data

__all__ = [
    "Node",
    "Record",
    "Source",
    "State",
    "combine_digests",
    "find_fresh",
    "find_states",
    "input_digest",
    "is_fresh",
]


class State(StrEnum):
    """What is to be done about a step.

    `REUSED`: nothing, it is fresh. `RUN`: it can run now. `WAITING`: it runs, or may run, after others.
    """

    REUSED = "Reused"
    RUN = "Run"
    WAITING = "Waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input of a step: another step, by its name; or objects, by the digest of their listing."""

    step: str | None = None
    listing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step, or a step in one iteration of a loop.

    Attributes:
        spec_digest: of all in its spec that its output depends on; None if it is never reused.
        sources: its inputs, in order. A step comes before those that read it.
        after: steps that run first, if they run, though it does not read them.
        is_seen: its output is a result of the pipeline, so its data must be there.
        is_asked_for: its record is needed, if not its data: the conditions of a loop read the records.
    """

    name: str
    spec_digest: str | None
    sources: tuple[Source, ...] = ()
    after: tuple[str, ...] = ()
    is_seen: bool = False
    is_asked_for: bool = False

    @property
    def producers(self) -> list[str]:
        """The steps that it reads."""
        return [source.step for source in self.sources if source.step is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a complete step was made of, and what it gave. `is_of_this_run`: it was made since the run began."""

    spec_digest: str | None
    input_digest: str
    output_digest: str
    is_of_this_run: bool = False


def combine_digests(parts: Sequence[str]) -> str:
    """Return one digest of several, in their order."""
    return sha256("\n".join(parts).encode()).hexdigest()


def find_states(nodes: Sequence[Node], records: Mapping[str, Record], data: Mapping[str, Data]) -> dict[str, State]:
    """Return the state of each step.

    Args:
        nodes: the steps in order.
        records: of the steps that have one.
        data: what is left of the recorded outputs.
    """
    fresh = find_fresh(nodes, records)
    needed = find_needed(nodes, fresh, data)
    return {node.name: find_state(node, fresh, needed) for node in nodes}


def find_state(node: Node, fresh: Mapping[str, bool | None], needed: set[str]) -> State:
    """Return the state of one step."""
    if node.name not in needed:
        return State.REUSED
    can_read = all(fresh[step] and step not in needed for step in node.producers)
    is_ready = can_read and not any(step in needed for step in node.after)
    return State.RUN if is_ready else State.WAITING


def find_fresh(nodes: Sequence[Node], records: Mapping[str, Record]) -> dict[str, bool | None]:
    """Return which steps are fresh; None is undecided."""
    fresh: dict[str, bool | None] = {}
    for node in nodes:
        fresh[node.name] = is_fresh(node, fresh, records)
    return fresh


def is_fresh(node: Node, fresh: Mapping[str, bool | None], records: Mapping[str, Record]) -> bool | None:
    """Tell whether a step is fresh, if those that it reads are known to be or not to be."""
    record = records.get(node.name)
    if record is None:
        return False
    if record.is_of_this_run:
        return True
    if node.spec_digest is None or record.spec_digest != node.spec_digest:
        return False
    if not all(fresh[step] for step in node.producers):
        return None
    return record.input_digest == input_digest(node, records)


class HasOutput(Protocol):
    """A record of a step, as far as those that read its output depend on it."""

    @property
    def output_digest(self) -> str:
        """The digest of the output."""


def input_digest(node: Node, records: Mapping[str, HasOutput]) -> str:
    """Return the digest of all inputs of a step whose producers are fresh."""
    return combine_digests(
        [
            f"step {records[source.step].output_digest}" if source.step is not None else f"objects {source.listing}"
            for source in node.sources
        ]
    )


def find_needed(nodes: Sequence[Node], fresh: Mapping[str, bool | None], data: Mapping[str, Data]) -> set[str]:
    """Return the steps that run or may run."""
    needed: set[str] = set()
    asked_for = {node.name for node in nodes if node.is_seen or node.is_asked_for}
    wanted = {node.name for node in nodes if node.is_seen}
    for node in reversed(nodes):
        is_missing = node.name in wanted and data.get(node.name) is not Data.PRESENT
        if not is_missing and (fresh[node.name] or node.name not in asked_for):
            continue
        needed.add(node.name)
        asked_for.update(node.producers)
        if is_missing or fresh[node.name] is False:
            wanted.update(node.producers)
    return needed
