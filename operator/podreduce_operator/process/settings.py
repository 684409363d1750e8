"""The installation's settings: the chart's values, as environment variables PODREDUCE_OPERATOR_*.

Rule: read once at the start. Every variable has its name here, and the chart's values.yaml explains it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import msgspec

from podreduce_operator.api.storage_endpoints import Endpoint, parse_endpoint
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.leadership.lease_settings import LeaseSettings
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.pods.installation_template import check_installation_template
from podreduce_operator.pods.pod_manifest import TASK_USER, PodDefaults
from podreduce_operator.pods.template_merge import PodTemplateError

__all__ = ["LogFormat", "Settings", "SettingsError"]

PREFIX = "PODREDUCE_OPERATOR_"
LogFormat = Literal["auto", "json", "console"]
LOG_FORMATS: tuple[LogFormat, ...] = ("auto", "json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_USER: int | None = TASK_USER
NO_TEMPLATE: Mapping[str, Any] = {}
DEFAULT_RESOURCES = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}

T = TypeVar("T")


class SettingsError(OperatorError):
    """A variable is missing or has a wrong value. The message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's settings.

    Attributes:
        cluster: the settings for Kubernetes and the task pods.
        limits: what the installation allows each job.
        lease: decides which of several operators acts. Without it this operator always acts.
        log_format: `auto` is console on a terminal, and JSON elsewhere.
        faults: points to crash at, once each, for tests.
        faults_state: the file that records past points.
    """

    cluster: ClusterSettings
    limits: Limits = field(default_factory=Limits)
    lease: LeaseSettings | None = None
    health_port: int = 8080
    log_format: LogFormat = "auto"
    log_level: str = "info"
    faults: tuple[str, ...] = ()
    faults_state: Path | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables. An empty variable counts as absent.

        Raises:
            SettingsError: a variable is missing or wrong.
        """
        read = Variables(environ)
        return cls(
            cluster=read_cluster(read),
            limits=read_limits(read),
            lease=read_lease(read),
            health_port=read.parse("HEALTH_PORT", parse_positive, 8080),
            log_format=read.parse("LOG_FORMAT", parse_log_format, "auto"),
            log_level=read.parse("LOG_LEVEL", parse_log_level, "info"),
            faults=read.parse("FAULTS", split_names, ()),
            faults_state=read.parse("FAULTS_STATE", Path, None),
        )


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment. Variables are named without their prefix."""

    environ: Mapping[str, str]

    def parse(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return the parsed variable, or the default if it is absent."""
        text = self.environ.get(PREFIX + name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}{name}: {error}, not {text!r}") from error

    def require(self, name: str, what: str) -> str:
        """Return the variable; `what` says in the error what is expected."""
        text = self.environ.get(PREFIX + name, "").strip()
        if not text:
            raise SettingsError(f"{PREFIX}{name} is not set: expected {what}")
        return text


def read_cluster(read: Variables) -> ClusterSettings:
    """Read the settings for Kubernetes."""
    return ClusterSettings(
        pod_defaults=read_pod_defaults(read),
        namespaces=read.parse("NAMESPACES", split_names, ()),
        release=read.parse("RELEASE", str, "podreduce"),
        installation=read.parse("INSTALLATION", str, None),
        storage_directory=read.parse("STORAGE_DIRECTORY", Path, None),
        storage_endpoints=read.parse("STORAGE_ENDPOINTS", parse_endpoints, ()),
        pods_per_second=read.parse("PODS_PER_SECOND", parse_positive, 1000),
        progress_url=read.parse("PROGRESS_URL", str, None),
        progress_port=read.parse("PROGRESS_PORT", parse_positive, 8081),
    )


def read_pod_defaults(read: Variables) -> PodDefaults:
    """Read the settings for the task pods."""
    return PodDefaults(
        image=read.require("RUNTIME_IMAGE", "the image for jobs that name none"),
        pull_policy=read.parse("IMAGE_PULL_POLICY", str, "IfNotPresent"),
        resources=read.parse("TASK_RESOURCES", parse_mapping, DEFAULT_RESOURCES),
        scratch_size=read.parse("SCRATCH_SIZE", str, None),
        grace_seconds=read.parse("TASK_GRACE_SECONDS", parse_positive, 10),
        node_lost_seconds=read.parse("NODE_LOST_SECONDS", parse_positive, 20),
        user=read.parse("TASK_USER", parse_user, DEFAULT_USER),
        pod_template=read_pod_template(read),
    )


def read_pod_template(read: Variables) -> Mapping[str, Any]:
    """Read the installation's pod template. An error does not repeat it: it may hold a proxy's password.

    Raises:
        SettingsError: it does not have the shape of a pod.
    """
    template = read.parse("TASK_POD_TEMPLATE", parse_mapping, NO_TEMPLATE)
    try:
        check_installation_template(template)
    except PodTemplateError as error:
        raise SettingsError(f"{PREFIX}TASK_POD_TEMPLATE: {error}") from error
    return template


def parse_user(text: str) -> int | None:
    """Return a user's number; None for `none`."""
    return None if text == "none" else parse_positive(text)


def read_limits(read: Variables) -> Limits:
    """Read what the installation allows a job."""
    pending, limits = PendingDeadlines(), Limits()
    return Limits(
        parallelism=read.parse("PARALLELISM_LIMIT", parse_positive, limits.parallelism),
        chaos=read.parse("CHAOS", parse_bool, limits.chaos),
        pending=PendingDeadlines(
            absent_seconds=read.parse("PENDING_ABSENT_SECONDS", parse_deadline, pending.absent_seconds),
            image_seconds=read.parse("PENDING_IMAGE_SECONDS", parse_deadline, pending.image_seconds),
            unschedulable_seconds=read.parse("PENDING_NODE_SECONDS", parse_deadline, pending.unschedulable_seconds),
        ),
    )


def parse_deadline(text: str) -> float | None:
    """Return a deadline in seconds; None for `0` and `none`."""
    if text in {"0", "none"}:
        return None
    return float(parse_positive(text))


def parse_bool(text: str) -> bool:
    """Return a boolean."""
    if text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text == "true"


def read_lease(read: Variables) -> LeaseSettings | None:
    """Read the election's settings; None if no Lease is named.

    Raises:
        SettingsError: a variable is wrong, or the times do not let a holder stop before another begins.
    """
    name = read.parse("LEASE", str, "")
    if not name:
        return None
    lease = LeaseSettings(
        name=name,
        namespace=read.require("LEASE_NAMESPACE", "the namespace of the Lease"),
        pod=read.parse("POD", str, ""),
        deployment=read.parse("DEPLOYMENT", str, ""),
        duration_seconds=read.parse("LEASE_SECONDS", parse_positive, 15),
        renew_seconds=read.parse("LEASE_RENEW_SECONDS", parse_positive, 10),
        retry_seconds=read.parse("LEASE_RETRY_SECONDS", parse_positive, 2),
    )
    if not lease.duration_seconds > lease.renew_seconds > 2 * lease.retry_seconds:
        raise SettingsError(
            f"{PREFIX}LEASE_SECONDS ({lease.duration_seconds}) must be above LEASE_RENEW_SECONDS "
            f"({lease.renew_seconds:g}), which must be above twice LEASE_RETRY_SECONDS ({lease.retry_seconds:g})"
        )
    return lease


def parse_positive(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("expected a whole number above 0")
    return int(text)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated list, without blanks."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Return the endpoints in a comma-separated list."""
    return tuple(parse_endpoint(name) for name in split_names(text))


def parse_mapping(text: str) -> Mapping[str, Any]:
    """Return a JSON object."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"expected a JSON object ({error})") from error


def parse_log_format(text: str) -> LogFormat:
    """Return a log format."""
    for known in LOG_FORMATS:
        if text == known:
            return known
    raise ValueError(f"expected one of {', '.join(LOG_FORMATS)}")


def parse_log_level(text: str) -> str:
    """Return a log level."""
    if text not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text
