"""One run of a job: the stores that it uses, and what has been read from them so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

from podreduce.contract.layout import run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.storage import ObjectStore
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.jobs import JobView
from podreduce_operator.read_budget import ReadingPace
from podreduce_operator.runs.output_claim import Claim
from podreduce_operator.runs.record_budget import RecordBudget
from podreduce_operator.runs.run_records import OnAttemptEnd, RunRecords, listing_pace

__all__ = ["Run", "RunCache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job and the stores it uses. `apply` acts on it."""

    job: JobView
    run_id: str
    storage: JobStorage
    records: RunRecords

    @property
    def identity(self) -> JobIdentity:
        """The job and run, as written in the plan and the claim."""
        key = self.job.key
        return JobIdentity(namespace=key.namespace, name=key.name, uid=self.job.uid, run_id=self.run_id)

    @property
    def claim(self) -> Claim:
        """The run's claim on its output."""
        return Claim(installation=self.storage.installation, job=self.identity)

    @property
    def work(self) -> ObjectStore:
        """The store at the run's prefix."""
        return self.records.store

    @property
    def output(self) -> ObjectStore:
        """The store at the output prefix: from the plan, or from the spec if there is no plan yet."""
        plan = self.records.plan
        uri = self.job.spec.output.uri if plan is None else plan.output_uri
        return self.storage.open(uri if uri.endswith("/") else f"{uri}/")


@dataclass(slots=True)
class RunCache:
    """The records of recent runs, so that each immutable record is read once. Losing the cache only costs reads.

    `pace` makes the object that says how often a run's records are listed. `on_attempt_end` is called with each record
    of an attempt that ended; see `RunRecords`. `budget` limits the memory that the records take.
    """

    runs: dict[str, RunRecords] = field(default_factory=dict)
    pace: Callable[[], ReadingPace] = listing_pace
    on_attempt_end: OnAttemptEnd = lambda _record: None
    budget: RecordBudget = field(default_factory=RecordBudget)

    def open(self, job: JobView, run_id: str, storage: JobStorage) -> Run:
        """Return the run with its known records and with the current credentials."""
        key = job.key
        prefix = run_prefix(storage.installation, key.namespace, key.name, job.uid, run_id)
        uri = storage.work_uri + prefix
        store = storage.open(uri)
        records = self.runs.get(uri)
        if records is None:
            records = RunRecords(store, self.pace(), self.on_attempt_end, self.budget.share(uri, key))
            self.runs[uri] = records
        records.store = store
        return Run(job=job, run_id=run_id, storage=storage, records=records)

    def forget(self, job: JobView) -> None:
        """Drop everything known of the job's runs."""
        mark = f"/{job.key.namespace}/{job.key.name}/{job.uid}-"
        for uri in [uri for uri in self.runs if mark in uri]:
            del self.runs[uri]
            self.budget.drop(uri)
