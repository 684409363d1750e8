from datetime import UTC, datetime
from typing import Any

import pytest

from podreduce_operator.leadership.lease import Lease, build_lease, format_time, parse_lease

HELD = Lease(
    holder="pod-a_1",
    duration_seconds=15,
    acquired="2026-01-01T12:00:00.000000Z",
    renewed="2026-01-01T12:00:02.000000Z",
    transitions=3,
    version="7",
)


def test_a_lease_is_read_as_it_was_written() -> None:
    assert parse_lease(build_lease(HELD, "podreduce")) == HELD


@pytest.mark.parametrize("spec", [{}, {"spec": {}}, {"spec": {"holderIdentity": ""}}], ids=["none", "empty", "no-one"])
def test_a_lease_without_a_holder_is_nobodys(spec: dict[str, Any]) -> None:
    assert parse_lease({"metadata": {"resourceVersion": "7"}, **spec}) == Lease(version="7")


def test_a_released_lease_loses_its_holder_by_a_merge_patch() -> None:
    spec = build_lease(Lease(transitions=3, version="7"), "podreduce")["spec"]
    assert spec["holderIdentity"] is None
    assert spec["leaseTransitions"] == 3


@pytest.mark.parametrize(("version", "named"), [("7", {"resourceVersion": "7"}), ("", {})], ids=["patch", "create"])
def test_a_write_names_the_version_it_was_decided_upon(version: str, named: dict[str, str]) -> None:
    assert build_lease(Lease(version=version), "podreduce")["metadata"] == {"name": "podreduce", **named}


def test_a_lease_that_is_made_goes_with_its_owner() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podreduce", "uid": "u"}
    assert build_lease(Lease(), "podreduce", owner)["metadata"] == {"name": "podreduce", "ownerReferences": [owner]}


def test_times_have_the_apis_form() -> None:
    assert format_time(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)) == "2026-01-02T03:04:05.000006Z"
