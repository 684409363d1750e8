"""What the loop reports as it happens, for somebody who counts it. By default nobody listens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.task import CommitRecord, FailureRecord

__all__ = ["PipelineTelemetry", "ScheduleTelemetry", "Telemetry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """The listeners; each is called at once and must return at once.

    Attributes:
        on_pass: called with the seconds that each pass took.
        on_phase_end: called with the phase that a job has left and how many seconds it was in it. Not called if this
            process has not seen the phase begin.
        on_attempt_end: called with the record of each attempt that ended: a commit or a failure. What a run had before
            this process took it over is not reported.
        on_stop: called with the record of each attempt whose pod was about to be deleted.
        on_shuffle: called with the bytes of each partition when a shuffle is frozen for the first time.
    """

    on_pass: Callable[[float], None] = lambda _seconds: None
    on_phase_end: Callable[[str, float], None] = lambda _phase, _seconds: None
    on_attempt_end: Callable[[CommitRecord | FailureRecord], None] = lambda _record: None
    on_stop: Callable[[AttemptRecord], None] = lambda _record: None
    on_shuffle: Callable[[Sequence[int]], None] = lambda _partition_bytes: None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTelemetry:
    """The listeners for schedules.

    Attributes:
        on_start: called when a job was made, with the seconds since its scheduled time.
        on_missed: called when a scheduled time is past its deadline.
    """

    on_start: Callable[[float], None] = lambda _seconds: None
    on_missed: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineTelemetry:
    """The listeners for pipelines.

    `on_step`: called when a step ended, with its state (Complete, Reused or Failed), its seconds and its output's
    bytes.
    """

    on_step: Callable[[str, float, int], None] = lambda _state, _seconds, _bytes: None
