"""Turns a manifest into the job that the loop sees, with what the API server adds in a cluster: a UID and a name."""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.model.jobs import JobKey, JobView

__all__ = ["view_job"]

GENERATED_START = 58
GENERATED_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no words appear. The API server does the same."""


def view_job(manifest: Mapping[str, Any]) -> JobView:
    """Return a valid manifest as a new job.

    Raises:
        SpecError: its spec is not understood.
    """
    metadata, spec = manifest["metadata"], manifest["spec"]
    name = metadata.get("name") or generate_name(metadata["generateName"])
    return JobView(
        key=JobKey(namespace=metadata.get("namespace") or "default", name=name),
        uid=str(uuid4()),
        generation=1,
        spec=decode_spec(spec),
        raw_spec=spec,
        status={},
        labels=metadata.get("labels") or {},
        controller=read_controller(metadata),
    )


def generate_name(start: str) -> str:
    """Return a name as the API server generates it: `start`, cut if it is long, plus five characters."""
    return start[:GENERATED_START] + "".join(secrets.choice(GENERATED_CHARACTERS) for _ in range(5))
