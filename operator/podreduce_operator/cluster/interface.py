"""What the loop asks of a cluster. Two implementations: `kubernetes` and `processes`; one conformance suite for both.

Rule: everything is idempotent, and a refusal that the job's author must know of is an `ActionError`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from podreduce.contract.environment import StorageSettings
from podreduce.storage import NO_GATE, Gate, ObjectStore, open_store
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pods import AttemptProgress, PodRequest, PodView

__all__ = ["Cluster", "JobStorage", "Warned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStorage:
    """Where a job's intermediate data goes (ending in `/`), under which installation, and with what credentials.

    `before_write` is asked before each write to any store that is opened here: it forbids it once this operator may no
    longer act. `gate` is held while a request to one of these stores is made.
    """

    work_uri: str
    installation: str
    settings: StorageSettings
    before_write: Callable[[], None] = lambda: None
    gate: Gate = NO_GATE

    def open(self, uri: str) -> ObjectStore:
        """Open the store at `uri`, which ends in `/`."""
        return open_store(uri, self.settings, before_write=self.before_write, gate=self.gate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning about a pod, in the cluster's words."""

    reason: str
    message: str


class Cluster(Protocol):
    """Pods, jobs, and what their author wrote beside them."""

    async def find_job(self, key: JobKey) -> JobView | None:
        """Return the job as last seen, or None if it is gone."""

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        """Return all pods of the job (by owner UID), of whatever run, terminating ones included."""

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        """Ask the cluster itself how the job's pod of that name is now; None if it is gone.

        A list may be some seconds old, and older after a pause of this process.

        Raises:
            ActionError: it cannot be asked now.
        """

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        """Return what the attempts of these pods have reported, by attempt id; what is not known is left out."""

    async def last_warning(self, job: JobView, pod: PodView) -> Warned | None:
        """Return the newest warning about a pod that does not start and does not say why, if there is one."""

    async def create_pod(self, request: PodRequest) -> None:
        """Create the pod. One of that name, of that job and run, not being deleted, means done.

        Raises:
            ActionError: the cluster refuses it (permanent), or not now.
        """

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        """Delete the pod of that name if its UID is `uid`; gone means done. `force`: without waiting for its node."""

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        """Return the pod's last log lines; empty if they are gone."""

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        """Return the program text of `sourceFrom`.

        Raises:
            ActionError: no such ConfigMap or key.
        """

    async def read_storage(self, job: JobView) -> JobStorage:
        """Return the job's storage, from the Secret it names.

        Raises:
            ActionError: the Secret or one of its keys is missing.
        """

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        """Replace the job's status; False if the job changed meanwhile, so that the caller looks again."""

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """Tell the job's author, best effort. `kind` is `Normal` or `Warning`."""
