"""Jobs and their specs, with the CRD's defaults."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from podreduce_operator.api.spec import JobSpec, decode_spec
from podreduce_operator.model.jobs import JobKey, JobView
from tests.support.crd_cases import DEFAULTED_SPEC

__all__ = ["JOB_UID", "make_job", "make_raw_output", "make_raw_spec", "make_spec"]

JOB_UID = "6f0c4a52-0000-4000-8000-000000000001"


def make_raw_output(**changes: Any) -> dict[str, Any]:
    """The `output` of a spec, with the CRD's defaults. Keys are those of the YAML."""
    return DEFAULTED_SPEC["output"] | changes


def make_raw_spec(**changes: Any) -> dict[str, Any]:
    """A spec as the API server stores it: with the CRD's defaults. Keys are those of the YAML."""
    return deepcopy(DEFAULTED_SPEC) | changes


def make_job(
    *,
    name: str = "wordcount",
    namespace: str = "default",
    uid: str = JOB_UID,
    generation: int = 1,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    deleting: bool = False,
) -> JobView:
    """A job; `spec` are changes to `make_raw_spec`."""
    raw_spec = make_raw_spec(**(spec or {}))
    return JobView(
        key=JobKey(namespace=namespace, name=name),
        uid=uid,
        generation=generation,
        spec=decode_spec(raw_spec),
        raw_spec=raw_spec,
        status=status or {},
        deleting=deleting,
    )


def make_spec(**changes: Any) -> JobSpec:
    """A decoded spec; `changes` are those of `make_raw_spec`."""
    return decode_spec(make_raw_spec(**changes))
