"""A task's settings: environment variables, set by the operator and read once by `python -m podreduce`.

Rule: every variable's name is here or in `process_variables`, and nowhere else. Local processes and pods get the same.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from podreduce.contract.task import TaskRef
from podreduce.contract.wire import Wire

__all__ = [
    "CA_CERT_PATH",
    "KEY_PATH",
    "StorageSettings",
    "TaskEnvironment",
]

CA_CERT_PATH = "/etc/podreduce/storage/ca.crt"
"""Where a pod finds the Secret's `caCert`, if it has one."""

KEY_PATH = "/etc/podreduce/storage-keys"
"""Where a pod finds the Secret's `accessKey`, `secretKey` and `sessionToken`, as they are now."""


class StorageSettings(Wire, frozen=True, kw_only=True):
    """How to reach S3. If all are None, the usual AWS_* variables of the environment count. Never logged.

    Attributes:
        endpoint: `http://host:port` or `https://…`; None means AWS itself.
        key_directory: path of a directory with the files `accessKey`, `secretKey` and, for temporary keys,
            `sessionToken`. What they hold now counts before `access_key`, `secret_key` and `session_token`, which a
            process has from its start, and which are all that a runtime without this field reads.
        ca_cert: path of a PEM file.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    key_directory: str | None = None
    ca_cert: str | None = None

    VARIABLES: ClassVar[dict[str, str]] = {
        "endpoint": "PODREDUCE_S3_ENDPOINT",
        "region": "PODREDUCE_S3_REGION",
        "access_key": "PODREDUCE_S3_ACCESS_KEY",
        "secret_key": "PODREDUCE_S3_SECRET_KEY",
        "session_token": "PODREDUCE_S3_SESSION_TOKEN",
        "key_directory": "PODREDUCE_S3_KEY_DIRECTORY",
        "ca_cert": "PODREDUCE_S3_CA_CERT",
    }

    def __repr__(self) -> str:
        """Return the endpoint only: the other fields are secret."""
        return f"StorageSettings(endpoint={self.endpoint!r})"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings a pod or process was given; empty values count as absent."""
        return cls(**{field: environ.get(name) or None for field, name in cls.VARIABLES.items()})

    def to_environ(self) -> dict[str, str]:
        """Return the variables that `from_environ` reads."""
        return {name: value for field, name in self.VARIABLES.items() if (value := getattr(self, field))}


class TaskEnvironment(Wire, frozen=True, kw_only=True):
    """Which attempt of which task this process is.

    Attributes:
        run_uri: the run's prefix, ending in `/`.
        shuffle_generation: which shuffle manifest a reduce task reads; None for a map task.
        more_tasks: what the pod runs after `task`, in this order, each as a separate attempt.
        shuffle_wait_seconds: how long a reduce task in the same pod as its maps waits for the shuffle manifest. The
            manifest may have no partition for it. 0: the manifest already exists.
        pod_uid: the attempt id is made of it and `sequence`, the task's place in the pod.
        memory_bytes: the memory limit if no cgroup sets one.
        max_bad_records: how many bad records a map task may skip; None: any number.
        side_directory: where the side inputs are fetched to, by the first task that needs one; tasks of one machine may
            share it. None: below the scratch directory.
        program_directory: where the files of the program are put, for all tasks that share it; None: below
            `scratch_directory`.
        termination_log: the file to which the outcome of a failure is written.
        progress_url: where to report progress, with `progress_token`; None: no reports.
    """

    run_uri: str
    plan_digest: str
    task: TaskRef
    generation: int
    pod_uid: str
    pod_name: str
    sequence: int = 0
    more_tasks: tuple[TaskRef, ...] = ()
    shuffle_generation: int | None = None
    shuffle_wait_seconds: int = 0
    memory_bytes: int | None = None
    max_bad_records: int | None = None
    scratch_directory: str = "/tmp"  # noqa: S108 - the pod's own emptyDir
    side_directory: str | None = None
    program_directory: str | None = None
    termination_log: str = "/dev/termination-log"
    progress_url: str | None = None
    progress_token: str = ""

    @property
    def tasks(self) -> tuple[TaskRef, ...]:
        """All tasks that the pod still has to run, in order."""
        return (self.task, *self.more_tasks)

    @property
    def attempt_id(self) -> str:
        """The id in the name of every object that this attempt writes."""
        return f"{self.pod_uid}-{self.sequence}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables of `to_environ`.

        Raises:
            KeyError: a variable is missing; the key is its name.
            ValueError: a variable has an invalid value.
        """
        numbers = (SHUFFLE_GENERATION, MEMORY_BYTES, MAX_BAD_RECORDS)
        optional_int = {name: int(environ[name]) for name in numbers if environ.get(name)}
        return cls(
            run_uri=environ[RUN_URI],
            plan_digest=environ[PLAN_DIGEST],
            task=TaskRef.parse(environ[TASK]),
            generation=int(environ[GENERATION]),
            pod_uid=environ[POD_UID],
            pod_name=environ[POD_NAME],
            sequence=int(environ.get(SEQUENCE, "0")),
            more_tasks=tuple(map(TaskRef.parse, environ.get(MORE_TASKS, "").split())),
            shuffle_wait_seconds=int(environ.get(SHUFFLE_WAIT_SECONDS, "0")),
            shuffle_generation=optional_int.get(SHUFFLE_GENERATION),
            memory_bytes=optional_int.get(MEMORY_BYTES),
            max_bad_records=optional_int.get(MAX_BAD_RECORDS),
            scratch_directory=environ.get(SCRATCH_DIRECTORY, "/tmp"),  # noqa: S108 - the pod's own emptyDir
            side_directory=environ.get(SIDE_DIRECTORY) or None,
            program_directory=environ.get(PROGRAM_DIRECTORY) or None,
            termination_log=environ.get(TERMINATION_LOG, "/dev/termination-log"),
            progress_url=environ.get(PROGRESS_URL) or None,
            progress_token=environ.get(PROGRESS_TOKEN, ""),
        )

    def to_environ(self) -> dict[str, str]:
        """Return every variable of this attempt, `POD_UID` and `POD_NAME` among them."""
        optional = {
            SHUFFLE_GENERATION: self.shuffle_generation,
            MEMORY_BYTES: self.memory_bytes,
            SIDE_DIRECTORY: self.side_directory,
            PROGRAM_DIRECTORY: self.program_directory,
            PROGRESS_URL: self.progress_url,
            PROGRESS_TOKEN: self.progress_token or None,
            MAX_BAD_RECORDS: self.max_bad_records,
            MORE_TASKS: " ".join(map(str, self.more_tasks)) or None,
            SHUFFLE_WAIT_SECONDS: self.shuffle_wait_seconds or None,
        }
        return {
            RUN_URI: self.run_uri,
            PLAN_DIGEST: self.plan_digest,
            TASK: str(self.task),
            GENERATION: str(self.generation),
            POD_UID: self.pod_uid,
            POD_NAME: self.pod_name,
            SEQUENCE: str(self.sequence),
            SCRATCH_DIRECTORY: self.scratch_directory,
            TERMINATION_LOG: self.termination_log,
            **{name: str(value) for name, value in optional.items() if value is not None},
        }


RUN_URI = "PODREDUCE_RUN_URI"
PLAN_DIGEST = "PODREDUCE_PLAN_DIGEST"
TASK = "PODREDUCE_TASK"
GENERATION = "PODREDUCE_GENERATION"
SHUFFLE_GENERATION = "PODREDUCE_SHUFFLE_GENERATION"
POD_UID = "PODREDUCE_POD_UID"
POD_NAME = "PODREDUCE_POD_NAME"
SEQUENCE = "PODREDUCE_SEQUENCE"
MORE_TASKS = "PODREDUCE_MORE_TASKS"
SHUFFLE_WAIT_SECONDS = "PODREDUCE_SHUFFLE_WAIT_SECONDS"
MEMORY_BYTES = "PODREDUCE_MEMORY_BYTES"
MAX_BAD_RECORDS = "PODREDUCE_MAX_BAD_RECORDS"
SCRATCH_DIRECTORY = "PODREDUCE_SCRATCH_DIRECTORY"
SIDE_DIRECTORY = "PODREDUCE_SIDE_DIRECTORY"
PROGRAM_DIRECTORY = "PODREDUCE_PROGRAM_DIRECTORY"
TERMINATION_LOG = "PODREDUCE_TERMINATION_LOG"
PROGRESS_URL = "PODREDUCE_PROGRESS_URL"
PROGRESS_TOKEN = "PODREDUCE_PROGRESS_TOKEN"  # noqa: S105 - a variable's name
