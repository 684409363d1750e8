"""Counters: group → name → a number that only grows. Rule: pure; few names, because every commit record has them all.

The group `podreduce` is built in. It says in which way a map task ran (declaredTasks, genericTasks, columnarTasks,
fusedTasks), what combining saved it (combineInput, combineOutput) and what a sample left out (mapRecordsLeftOut). What
it read, wrote and skipped is in other fields of the commit record. The operator adds all of it up:
`policy/counter_totals`.
"""

from podreduce.contract.errors import ProgramError

__all__ = ["BUILT_IN_GROUP", "MAX_COUNTERS", "MAX_NAME_LENGTH", "Counters"]

BUILT_IN_GROUP = "podreduce"
MAX_COUNTERS = 1000
MAX_NAME_LENGTH = 200


class Counters:
    """The counters of one attempt.

    Attributes:
        beats: how often the program counted, or reported that it is not stuck.
    """

    def __init__(self) -> None:
        self.beats = 0
        self._groups: dict[str, dict[str, int]] = {}
        self._names = 0
        self._journal: list[tuple[str, str, int | None]] | None = None

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the program.

        Raises:
            ProgramError: a program may not have such a counter.
        """
        self.beats += 1
        try:
            self._groups[group][name] += n
        except KeyError:
            self._open(group, name)
            self.count(group, name, n)
            return
        except TypeError:
            raise ProgramError(f"context.count({group!r}, {name!r}, {n!r}): the third argument is an int") from None
        if self._journal is not None:
            self._journal.append((group, name, n))

    def mark(self) -> None:
        """Remember all counts from here on, until `keep` or `undo`."""
        self._journal = []

    def keep(self) -> None:
        """Keep the counts since the mark, and stop remembering."""
        self._journal = None

    def undo(self) -> None:
        """Undo the counts since the mark, and delete names that are new since then."""
        for group, name, n in reversed(self._journal or ()):
            if n is not None:
                self._groups[group][name] -= n
                continue
            del self._groups[group][name]
            self._names -= 1
            if not self._groups[group]:
                del self._groups[group]
        self.keep()

    def built_in(self, **values: int) -> dict[str, dict[str, int]]:
        """Return all counters, with these values as the built-in group."""
        own = {BUILT_IN_GROUP: values} if values else {}
        return own | {group: dict(names) for group, names in self._groups.items()}

    def _open(self, group: str, name: str) -> None:
        for text in (group, name):
            if type(text) is not str or not 0 < len(text) <= MAX_NAME_LENGTH:
                raise ProgramError(f"context.count: {text!r:.100} is not a str of 1 to {MAX_NAME_LENGTH} letters")
        if group == BUILT_IN_GROUP:
            raise ProgramError(f"context.count: the group {group!r} is reserved; choose another")
        if self._names >= MAX_COUNTERS:
            raise ProgramError(
                f"context.count: {group}/{name} would be counter {MAX_COUNTERS + 1} of at most {MAX_COUNTERS}; "
                "counters are for a few totals; to count by data, yield records"
            )
        self._names += 1
        self._groups.setdefault(group, {})[name] = 0
        if self._journal is not None:
            self._journal.append((group, name, None))
