"""A MapReduceSchedule, the jobs or pipelines it made, and what is decided about them.

In these names a job is what a schedule makes: a MapReduceJob, or a MapReducePipeline. Rule: frozen data. Times are
seconds since the epoch.
"""

from dataclasses import dataclass
from typing import Literal

from podreduce_operator.api.schedule_spec import ScheduleSpec
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.resources import ResourceView

__all__ = [
    "DeleteJobOf",
    "Noun",
    "ScheduleAction",
    "ScheduleDecision",
    "ScheduleObserved",
    "ScheduleState",
    "ScheduleVerdict",
    "ScheduleView",
    "ScheduledJob",
    "StartJob",
]


Noun = Literal["job", "pipeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView(ResourceView):
    """A MapReduceSchedule, with its decoded spec. `created_at`: when it was created."""

    spec: ScheduleSpec
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """A job or a pipeline that the schedule made.

    Attributes:
        noun: which of the two it is: the template may have been another one then.
        scheduled_at: the time that it was made for.
        ended: `Complete` or `Failed`; None while it has not ended.
        deleting: it is being deleted. Until it is gone it may still write its output.
    """

    name: str
    uid: str
    scheduled_at: float
    ended: str | None = None
    deleting: bool = False
    noun: Noun = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """What the status says about the schedule.

    Attributes:
        last_at: the last scheduled time that was started or is past its deadline.
        since: earlier times are not due: then the schedule was changed, or a suspension ended.
        known: the schedule and time zone that the status was written for; empty before the first time.
        was_suspended: it was suspended then.
        missed_at: the last scheduled time that was past its deadline.
    """

    last_at: float | None = None
    since: float | None = None
    known: str = ""
    was_suspended: bool = False
    missed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleObserved:
    """Everything known about one schedule at one moment.

    Attributes:
        jobs: the jobs that it made and that still exist.
        is_current: the jobs were just listed by the API server itself. Otherwise the list may be some seconds old.
        faults: what failed in the last attempt to act.
    """

    schedule: ScheduleView
    state: ScheduleState
    jobs: tuple[ScheduledJob, ...] = ()
    is_current: bool = False
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob:
    """Make the job or the pipeline of a scheduled time. Its name contains the time, so it is made once."""

    scheduled_at: float

    def __str__(self) -> str:
        return f"start({self.scheduled_at:.0f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJobOf:
    """Delete a job or a pipeline that the schedule made, if it still has this UID."""

    name: str
    uid: str
    why: str
    noun: Noun = "job"

    def __str__(self) -> str:
        return f"delete({self.name} {self.why})"


ScheduleAction = StartJob | DeleteJobOf


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleVerdict:
    """What the status says.

    Attributes:
        state: as it is to be written.
        reason: why the schedule is not ready, or a job of it waits; empty if all is well.
        message: the same in words.
        is_stalled: it makes no jobs until somebody changes it.
        next_at: the next scheduled time.
    """

    state: ScheduleState
    reason: str = ""
    message: str = ""
    is_stalled: bool = False
    next_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDecision:
    """What to do now, what the status says, and when to look again (in seconds; None: on the next event).

    `needs_current`: a job is due; first list the jobs from the API server itself and decide again.
    """

    verdict: ScheduleVerdict
    actions: tuple[ScheduleAction, ...] = ()
    wake_after: float | None = None
    needs_current: bool = False

    def __str__(self) -> str:
        acts = " ".join(map(str, self.actions)) or ("look" if self.needs_current else "-")
        reason = f"{self.verdict.reason}: " if self.verdict.reason else ""
        return f"{reason}{acts}" + ("" if self.wake_after is None else f"; wake {self.wake_after:.1f}s")
