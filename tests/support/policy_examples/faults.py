"""Faults of the store and of what lies beside the job."""

from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL

__all__ = ["FAULTS"]

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
        observed=make_observed(plan=None, faults=(make_fault("StorageSecretNotFound", permanent=True),), is_blind=True),
        now=29.0,
        expected="Planning/StorageSecretNotFound: -; wake 5.0s",
    ),
    Example(
        name="a missing Secret fails a run that never began",
        observed=make_observed(plan=None, faults=(make_fault("StorageSecretNotFound"),), is_blind=True),
        now=30.0,
        expected="Failed/StorageSecretNotFound: -",
    ),
    Example(
        name="a planned run whose store cannot be read may be past its intent",
        observed=make_observed(
            job=make_job(status={"runId": "1", "planDigest": "0" * 64}),
            plan=None,
            faults=(make_fault("StorageDenied", permanent=True),),
            is_blind=True,
        ),
        now=1000.0,
        expected="Planning/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="nothing starts on a store that cannot be read",
        observed=make_observed(plan=None, faults=(make_fault(),), is_blind=True),
        now=0.0,
        expected="Planning/StorageUnavailable: -; wake 5.0s",
    ),
)
