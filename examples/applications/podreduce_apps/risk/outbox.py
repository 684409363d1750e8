"""What became of each alert that was to be sent: a journal in a file, to which lines are only added.

A line is on the disk before anything else happens. So a process that is killed at any moment leaves a journal that the
next one can go on with. What was sent but not yet written is sent again, under the same id, which the receiver knows.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

__all__ = ["Outbox", "OutboxBusyError", "open_outbox"]

State = Literal["delivered", "refused"]
JOURNAL, DEAD_LETTERS = "journal.jsonl", "dead-letters.jsonl"


class OutboxBusyError(Exception):
    """Another process sends from this outbox."""


@dataclass(slots=True)
class Outbox:
    """The journal of one receiver.

    Attributes:
        journal: the open file.
        directory: where it lies.
        states: what became of each alert, by id.
    """

    journal: IO[bytes]
    directory: Path
    states: dict[str, State] = field(default_factory=dict)

    def is_open(self, identity: str) -> bool:
        """Tell whether an alert is still to be sent."""
        return identity not in self.states

    def delivered(self, identities: list[str]) -> None:
        """Remember that the receiver has taken alerts."""
        self.write(*({"id": identity, "state": "delivered"} for identity in identities))

    def refused(self, event: dict[str, Any], reason: str) -> None:
        """Remember that the receiver will never take an alert; it is kept as a dead letter, with the reason."""
        append(self.directory / DEAD_LETTERS, {"reason": reason, "event": event})
        self.write({"id": event["id"], "state": "refused"})

    def write(self, *entries: dict[str, Any]) -> None:
        """Add entries, and return when they are on the disk."""
        self.journal.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
        self.journal.flush()
        os.fsync(self.journal.fileno())
        self.states.update((entry["id"], entry["state"]) for entry in entries)


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line to a file, and return when it is on the disk."""
    with path.open("ab") as file:
        file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def open_outbox(directory: Path) -> Iterator[Outbox]:
    """Open the outbox in a directory, which is created if need be, for this process alone.

    Raises:
        OutboxBusyError: another process has it open.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / JOURNAL).open("a+b") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutboxBusyError(
                f"{directory}: another process is sending from it: wait until it has ended"
            ) from error
        yield Outbox(journal, directory, read_states(journal))


def read_states(journal: IO[bytes]) -> dict[str, State]:
    """Return what the journal says. A last line that a killed process left unfinished is cut off."""
    journal.seek(0)
    text = journal.read()
    whole = text[: text.rfind(b"\n") + 1]
    journal.truncate(len(whole))
    entries = [json.loads(line) for line in whole.splitlines()]
    return {entry["id"]: entry["state"] for entry in entries}
