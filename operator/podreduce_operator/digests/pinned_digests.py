"""Digests of what a plan pins, short enough for a job's status: so a change is seen when the plan is gone.

Unlike `run_digests`, the digest of the spec is over every field that the plan pins, also those that do not change the
output.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from podreduce.contract.wire import digest_bytes
from podreduce_operator.api.crd import explicit_spec
from podreduce_operator.api.spec import pinned_fields

__all__ = ["digest_pinned", "digest_text"]

DIGITS = 32
"""Hexadecimal digits that are kept of a SHA-256."""


def digest_pinned(spec: Mapping[str, Any]) -> str:
    """Return the digest of the fields of `spec` that a plan pins, but for `runId`. Defaults do not count."""
    fields = {name: value for name, value in explicit_spec(pinned_fields(spec)).items() if name != "runId"}
    return digest_bytes(msgspec.json.encode(fields, order="sorted"))[:DIGITS]


def digest_text(text: str) -> str:
    """Return the digest of a program's text."""
    return digest_bytes(text.encode("utf-8", "surrogatepass"))[:DIGITS]
