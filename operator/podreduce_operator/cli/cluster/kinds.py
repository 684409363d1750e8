"""The kinds of resources that the commands know, and how one is named on the command line. Rule: pure."""

import difflib
from dataclasses import dataclass

from podreduce_operator.api.crd import GROUP, JOBS, PIPELINES, SCHEDULES, ResourceNames
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.local_runs.names import LOCAL

__all__ = ["JOB", "KINDS", "PIPELINE", "SCHEDULE", "Kind", "Reference", "find_kind", "parse_reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of resource.

    Attributes:
        names: what the API calls it.
        short: its short name, which kubectl takes too.
    """

    names: ResourceNames
    short: str

    @property
    def words(self) -> tuple[str, ...]:
        """All names that kubectl takes."""
        singular = self.names.kind.lower()
        return (self.short, self.names.plural, singular, f"{self.names.plural}.{GROUP}", f"{singular}.{GROUP}")

    @property
    def noun(self) -> str:
        """What a person calls one: a job, a pipeline, a schedule."""
        return self.names.kind.removeprefix("MapReduce").lower()

    @property
    def has_runs(self) -> bool:
        """Whether its resources have a `runId` and come to an end. A schedule has not."""
        return self.names is not SCHEDULES


JOB = Kind(names=JOBS, short="mrj")
PIPELINE = Kind(names=PIPELINES, short="mrp")
SCHEDULE = Kind(names=SCHEDULES, short="mrs")
KINDS = (JOB, PIPELINE, SCHEDULE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A resource as the command line names it; prints as `mrj/wordcount`."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """Return `mrj/wordcount`, which kubectl takes too."""
        return f"{self.kind.short}/{self.name}"

    @property
    def typed(self) -> str:
        """What a person types: a job by its name alone."""
        return self.name if self.kind is JOB else str(self)


def find_kind(word: str) -> Kind:
    """Return the kind with this name.

    Raises:
        CommandError: there is none.
    """
    for kind in KINDS:
        if word.lower() in kind.words:
            return kind
    known = [*(word for kind in KINDS for word in kind.words[:2]), LOCAL]
    near = difflib.get_close_matches(word, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise CommandError(
        f"{word}: no such kind; known are {', '.join(kind.names.plural + ' (' + kind.short + ')' for kind in KINDS)}"
        + meant,
        CommandExit.INVALID,
    )


def parse_reference(text: str) -> Reference:
    """Return what `wordcount`, `mrj/wordcount` or `mrp/web` names. A name without a kind is a job's.

    Raises:
        CommandError: it is no such text.
    """
    word, separator, name = text.rpartition("/")
    if not name or (separator and not word):
        raise CommandError(f"{text}: name a job, or KIND/NAME such as mrj/wordcount", CommandExit.INVALID)
    return Reference(kind=find_kind(word) if separator else JOB, name=name)
