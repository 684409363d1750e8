"""Faults of the store and of what lies beside the job."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from podreduce_operator.model.observed import Observed, RunState
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL, M0

__all__ = ["FAULTS"]


def make_unreadable(
    *,
    is_publishing: bool | None,
    status: Mapping[str, Any] = MappingProxyType({"runId": "1", "planDigest": "0" * 64}),
    spec: Mapping[str, Any] = MappingProxyType({"activeDeadlineSeconds": 60}),
    **fields: Any,
) -> Observed:
    """A run that started at 0, has a minute, and whose store cannot be read now."""
    return make_observed(
        job=make_job(spec=spec, status=status),
        run=RunState(run_id="1", started_at=0.0, is_publishing=is_publishing),
        plan=None,
        faults=(make_fault(),),
        is_store_unreadable=True,
        **fields,
    )


FAULTS = (
    Example(
        name="a permanent fault fails the run",
        observed=make_observed(plan=None, faults=(make_fault("InputNotFound", permanent=True),)),
        now=0.0,
        expected="Failed/InputNotFound: -",
    ),
    Example(
        name="a permanent fault past the intent is waited out",
        observed=make_observed(commits=ALL, has_intent=True, faults=(make_fault("StorageDenied", permanent=True),)),
        now=0.0,
        expected="Committing/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="a store that refused nothing when the run was planned is waited for",
        observed=make_observed(faults=(make_fault("StorageDenied", permanent=True),)),
        now=0.0,
        expected="Mapping/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="a fault that may pass is waited out",
        observed=make_observed(faults=(make_fault(),)),
        now=0.0,
        expected="Mapping/StorageUnavailable: -; wake 5.0s",
    ),
    Example(
        name="a missing Secret has its grace",
        observed=make_observed(
            plan=None, faults=(make_fault("StorageSecretNotFound", permanent=True),), is_store_unreadable=True
        ),
        now=29.0,
        expected="Planning/StorageSecretNotFound: -; wake 5.0s",
    ),
    Example(
        name="a missing Secret fails a run that never began",
        observed=make_observed(plan=None, faults=(make_fault("StorageSecretNotFound"),), is_store_unreadable=True),
        now=30.0,
        expected="Failed/StorageSecretNotFound: -",
    ),
    Example(
        name="a planned run whose store cannot be read may be past its intent",
        observed=make_observed(
            job=make_job(status={"runId": "1", "planDigest": "0" * 64}),
            plan=None,
            faults=(make_fault("StorageDenied", permanent=True),),
            is_store_unreadable=True,
        ),
        now=1000.0,
        expected="Planning/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="the deadline ends a run whose store cannot be read if its status says that nothing is published",
        observed=make_unreadable(is_publishing=False, pods=(make_pod(M0),)),
        now=60.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job failed)",
    ),
    Example(
        name="the deadline does not end a run that may have published",
        observed=make_unreadable(is_publishing=True, pods=(make_pod(M0),)),
        now=60.0,
        expected="Planning/StorageUnavailable: -; wake 5.0s",
    ),
    Example(
        name="the deadline does not end a planned run if nobody knows whether it has published",
        observed=make_unreadable(is_publishing=None),
        now=60.0,
        expected="Planning/StorageUnavailable: -; wake 5.0s",
    ),
    Example(
        name="the deadline ends a run that could never be planned",
        observed=make_unreadable(is_publishing=None, status={}),
        now=60.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="a store that cannot be read is asked again later the longer this lasts",
        observed=make_unreadable(is_publishing=True, troubled_since=100.0),
        now=140.0,
        expected="Planning/StorageUnavailable: -; wake 40.0s",
    ),
    Example(
        name="a store that cannot be read is asked again once a minute at least",
        observed=make_unreadable(is_publishing=True, troubled_since=100.0),
        now=9000.0,
        expected="Planning/StorageUnavailable: -; wake 60.0s",
    ),
    Example(
        name="the deadline is not missed between two questions to the store",
        observed=make_unreadable(is_publishing=False, troubled_since=0.0),
        now=50.0,
        expected="Planning/StorageUnavailable: -; wake 10.0s",
    ),
    Example(
        name="a store that refuses an action is asked again later the longer this lasts",
        observed=make_observed(faults=(make_fault("StorageDenied", permanent=True),), troubled_since=100.0),
        now=140.0,
        expected="Mapping/StorageDenied: -; wake 40.0s",
    ),
    Example(
        name="a suspension stops the pods also while the store cannot be read",
        observed=make_unreadable(is_publishing=False, spec={"suspend": True}, pods=(make_pod(M0),)),
        now=60.0,
        expected="Suspended/StorageUnavailable: delete(m-0 suspended); wake 5.0s",
    ),
    Example(
        name="nothing starts on a store that cannot be read",
        observed=make_observed(plan=None, faults=(make_fault(),), is_store_unreadable=True),
        now=0.0,
        expected="Planning/StorageUnavailable: -; wake 5.0s",
    ),
)
