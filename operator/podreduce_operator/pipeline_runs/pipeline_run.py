"""One run of a pipeline: its stores, and what has been read from them so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.storage import ObjectStore
from podreduce_operator.api.pipeline_spec import LIVE_FIELDS, decode_pipeline_spec
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.pipeline_records import PinnedPipeline, StepRecord
from podreduce_operator.model.pipelines import Data, PipelineView, StepDigests
from podreduce_operator.pipeline_runs.places import PINNED_KEY, RECORDS_PREFIX, run_uri, steps_uri
from podreduce_operator.runs.stored_records import read_record

__all__ = ["PipelineRun", "RunMemory", "Seen"]

LISTING_SECONDS = 60.0
"""How long the listing of the records counts. Only this process writes them, and it notes what it writes."""


class Seen(NamedTuple):
    """What was left of the output of a job, and when that was seen (monotonic)."""

    job_uid: str
    data: Data
    at: float


@dataclass(slots=True)
class RunMemory:
    """What is known of a pipeline's store. Losing it only costs reads.

    Attributes:
        pinned: the pinned runs, by runId.
        records: by the node's name.
        listed_at: when the records were listed (monotonic).
        data: what is left of the outputs, by the node's name.
    """

    pinned: dict[str, PinnedPipeline] = field(default_factory=dict)
    records: dict[str, StepRecord] = field(default_factory=dict)
    listed_at: float | None = None
    data: dict[str, Seen] = field(default_factory=dict)

    def forget_steps(self) -> None:
        """Forget the records and the outputs: another pipeline may have changed them."""
        self.records, self.listed_at, self.data = {}, None, {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline.

    Attributes:
        view: the pipeline. When the run is pinned, its spec is the pinned one with today's live fields.
        memory: what has been read so far; shared by the pipeline's runs.
        monotonic: seconds that only go forward.
    """

    view: PipelineView
    run_id: str
    storage: JobStorage
    memory: RunMemory
    monotonic: Callable[[], float] = time.monotonic

    @property
    def steps_uri(self) -> str:
        """Where the records and the outputs without a URI lie."""
        return steps_uri(self.storage, self.view)

    @property
    def work(self) -> ObjectStore:
        """The store at the run's prefix."""
        return self.storage.open(run_uri(self.storage, self.view, self.run_id))

    @property
    def steps(self) -> ObjectStore:
        """The store with the records, and with the outputs without a URI."""
        return self.storage.open(self.steps_uri)

    @property
    def pinned(self) -> PinnedPipeline | None:
        """The run as it was pinned, if it has been read."""
        return self.memory.pinned.get(self.run_id)

    async def read(self) -> "PipelineRun":
        """Read what is not known yet. Return the run with its pinned spec.

        Raises:
            ActionError: something at a record's place is no record.
            PodreduceError: the store cannot be read.
        """
        await self.read_pinned()
        await self.read_records()
        return self.with_pinned_spec()

    async def read_pinned(self) -> None:
        """Read the pinned run, if there is one."""
        if self.run_id in self.memory.pinned:
            return
        try:
            self.memory.pinned[self.run_id] = await read_record(self.work, PINNED_KEY, PinnedPipeline)
        except ObjectNotFoundError:
            return

    async def read_records(self) -> None:
        """List the records and read those that are not known, if the last listing is old."""
        now = self.monotonic()
        if self.memory.listed_at is not None and now - self.memory.listed_at < LISTING_SECONDS:
            return
        steps = self.steps
        found: dict[str, StepRecord] = {}
        async for each in steps.list_async(RECORDS_PREFIX):
            name = each.key.removeprefix(RECORDS_PREFIX).removesuffix(".json")
            found[name] = self.memory.records.get(name) or await read_record(steps, each.key, StepRecord)
        self.memory.records = found
        self.memory.listed_at = now

    def with_pinned_spec(self) -> "PipelineRun":
        """Return the run with its pinned spec and today's live fields; as it is if nothing is pinned."""
        if self.pinned is None:
            return self
        live = {name: value for name, value in self.view.raw_spec.items() if name in LIVE_FIELDS}
        fixed = {name: value for name, value in self.pinned.spec.items() if name not in LIVE_FIELDS}
        raw = {**fixed, **live}
        return replace(self, view=replace(self.view, spec=decode_pipeline_spec(raw), raw_spec=raw))

    def digests(self) -> dict[str, StepDigests]:
        """Return what reuse needs to know of each step; nothing before the run is pinned."""
        if self.pinned is None:
            return {}
        listings = {listing.uris: listing for listing in self.pinned.listings}
        digests = {uris: listing.digest for uris, listing in listings.items()}
        inputs = {step.name: [each.uris for each in step.all_inputs if each.uris] for step in self.view.spec.steps}
        return {
            step.name: StepDigests(
                spec=step.spec_digest,
                reason=step.reason,
                listings=digests,
                bytes_in=sum(listings[uris].bytes for uris in inputs[step.name]),
            )
            for step in self.pinned.steps
        }
