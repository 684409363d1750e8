"""Operators that elect one of them at a real API server: cut off from it, stopped, told to end.

Every candidate writes without a pause while it leads and notes each write that its fence has let through, by a clock
that all of them share: those of two candidates must never overlap.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.minio import free_port
from tests.conformance.election_candidate import LEASE_LOST

pytestmark = pytest.mark.e2e

SHORT = {"duration_seconds": 6, "renew_seconds": 4, "retry_seconds": 0.5}
CONFIG_MAP = "written-by-the-leader"


@dataclass(kw_only=True)
class Candidate:
    """A process that takes part."""

    process: subprocess.Popen[bytes]
    journal: Path

    def events(self, event: str) -> list[float]:
        """Return when that happened."""
        lines = self.journal.read_bytes().splitlines() if self.journal.exists() else []
        return [line["at"] for line in map(json.loads, lines) if line["event"] == event]

    def said(self, event: str) -> str:
        """Return what was noted with that event."""
        lines = map(json.loads, self.journal.read_bytes().splitlines())
        return next(line["text"] for line in lines if line["event"] == event)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(timeout=30)


@dataclass(kw_only=True)
class World:
    """A namespace with a Lease and what the leader writes to; candidates, and cables to the API server."""

    cluster: Cluster
    directory: Path
    namespace: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, name: str, *, kubeconfig: Path | None = None, lease: str = "podreduce", **settings: Any
    ) -> Candidate:
        """Start a candidate; its lease is short unless other times are given."""
        journal = self.directory / f"{name}.journal"
        told = {
            "kubeconfig": str(kubeconfig or self.cluster.kubeconfig),
            "journal": str(journal),
            "store_uri": f"file://{self.directory}/store/",
            "config_map": CONFIG_MAP,
            "lease": {"name": lease, "namespace": self.namespace, **SHORT, **settings},
        }
        command = [sys.executable, "-m", "tests.conformance.election_candidate", json.dumps(told)]
        self.started.append(subprocess.Popen(command))
        return Candidate(process=self.started[-1], journal=journal)

    def wait_for(self, candidate: Candidate, event: str, count: int = 1, timeout: float = 30) -> list[float]:
        """Wait until something has happened to a candidate so often, and return when."""
        self.cluster.wait_for(lambda: len(candidate.events(event)) >= count, f"{event} of {candidate.journal}", timeout)
        return candidate.events(event)

    def cable(self) -> tuple[subprocess.Popen[bytes], Path]:
        """Lay a cable to the API server; return it, and a KUBECONFIG that leads through it."""
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        address, port = urlsplit(cluster["server"]), free_port()
        config["clusters"][0]["cluster"] = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
        kubeconfig = self.directory / f"kubeconfig-{port}"
        kubeconfig.write_text(yaml.safe_dump(config))
        return self.lay(port, cast("str", address.hostname), address.port or 443), kubeconfig

    def lay(self, port: int, host: str, target: int) -> subprocess.Popen[bytes]:
        """Start the proxy that a cable is."""
        command = [sys.executable, "-m", "tests.conformance.tcp_proxy", f"{port}", host, f"{target}"]
        self.started.append(subprocess.Popen(command))
        return self.started[-1]

    def close(self) -> None:
        """End what was started."""
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture
def world(cluster: Cluster, tmp_path: Path) -> Iterator[World]:
    made = World(cluster=cluster, directory=tmp_path, namespace=cluster.namespace("election"))
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}}, namespace=made.namespace)
    yield made
    made.close()


def seconds_between(first: Candidate, second: Candidate) -> float:
    """Return how long after the first one's last write the second one's first was."""
    return min(second.events("write")) - max(first.events("write"))


def start_pair(world: World, **first: Any) -> tuple[Candidate, Candidate]:
    """Start a leader, and beside it one that stands by."""
    leader = world.start("leader", **first)
    world.wait_for(leader, "write", 20)
    standby = world.start("standby")
    world.wait_for(standby, "standing by")
    return leader, standby


@pytest.mark.parametrize("how", ["silent", "refused"])
def test_a_leader_that_is_cut_off_stops_before_another_begins(world: World, how: str) -> None:
    cable, kubeconfig = world.cable()
    leader, standby = start_pair(world, kubeconfig=kubeconfig)
    cable.send_signal(signal.SIGSTOP if how == "silent" else signal.SIGKILL)
    assert leader.end() == LEASE_LOST
    (lost_at,) = leader.events("lost")
    assert lost_at - max(leader.events("write")) < 1, "the store was not cut off: it wrote there up to its deadline"
    world.wait_for(standby, "write", 20)
    assert seconds_between(leader, standby) > 0
    assert min(standby.events("write")) > lost_at
    cable.send_signal(signal.SIGCONT)
    back = world.start("leader-again")
    world.wait_for(back, "standing by")
    world.wait_for(standby, "write", len(standby.events("write")) + 100)
    assert back.events("leading") == []


def test_a_leader_that_was_stopped_does_nothing_when_it_goes_on(world: World) -> None:
    leader, standby = start_pair(world)
    leader.send(signal.SIGSTOP)
    world.wait_for(standby, "write", 20)
    before = leader.journal.read_bytes()
    leader.send(signal.SIGCONT)
    assert leader.end() == LEASE_LOST
    after = leader.journal.read_bytes()
    assert [json.loads(line)["event"] for line in after.removeprefix(before).splitlines()] == ["lost"]
    assert seconds_between(leader, standby) > 0


def test_a_stop_shorter_than_the_deadline_costs_nothing(world: World) -> None:
    leader, standby = start_pair(world)
    leader.send(signal.SIGSTOP)
    time.sleep(1)
    leader.send(signal.SIGCONT)
    world.wait_for(leader, "write", len(leader.events("write")) + 100)
    assert standby.events("leading") == []


def test_a_leader_that_is_told_to_end_hands_over_within_two_seconds(world: World) -> None:
    usual = {"duration_seconds": 15, "renew_seconds": 10.0, "retry_seconds": 2.0}
    leader = world.start("leader", **usual)
    world.wait_for(leader, "write", 20)
    standby = world.start("standby", **usual)
    world.wait_for(standby, "standing by")
    leader.send(signal.SIGTERM)
    assert leader.end() == 0
    world.wait_for(standby, "write")
    assert 0 < seconds_between(leader, standby) < 3.5, "two seconds between tries, and a busy machine"


def test_a_leader_that_was_killed_is_replaced_when_its_lease_has_expired(world: World) -> None:
    leader, standby = start_pair(world)
    leader.send(signal.SIGKILL)
    world.wait_for(standby, "write")
    assert seconds_between(leader, standby) > SHORT["duration_seconds"] - SHORT["retry_seconds"] - 0.5


def test_a_process_that_is_started_again_in_its_pod_leads_at_once(world: World) -> None:
    first = world.start("first", pod="pod-a", duration_seconds=60)
    world.wait_for(first, "write")
    first.send(signal.SIGKILL)
    first.end()
    second = world.start("second", pod="pod-a", duration_seconds=60)
    assert world.wait_for(second, "leading")[0] - second.events("standing by")[0] < 5


def test_of_several_that_start_together_one_leads(world: World) -> None:
    candidates = [world.start(f"{number}") for number in range(4)]
    for candidate in candidates:
        world.wait_for(candidate, "standing by")
    world.cluster.wait_for(lambda: any(candidate.events("write") for candidate in candidates), "a leader")
    (leader,) = [candidate for candidate in candidates if candidate.events("leading")]
    world.wait_for(leader, "write", 300)
    assert [candidate for candidate in candidates if candidate.events("leading")] == [leader]


def test_a_lease_that_somebody_deletes_changes_no_hands(world: World) -> None:
    leader, standby = start_pair(world)
    world.cluster.kubectl("delete", "lease", "podreduce", "--namespace", world.namespace)
    world.wait_for(leader, "write", len(leader.events("write")) + 200)
    assert standby.events("leading") == []
    lease = world.cluster.get("lease", "podreduce", world.namespace)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == leader.said("standing by")


def test_a_label_on_the_lease_stays_and_costs_the_leader_nothing(world: World) -> None:
    leader, _ = start_pair(world)
    world.cluster.kubectl("label", "lease", "podreduce", "owner=ann", "--namespace", world.namespace)
    world.wait_for(leader, "write", len(leader.events("write")) + 200)
    lease = world.cluster.get("lease", "podreduce", world.namespace)
    assert lease is not None
    assert lease["metadata"]["labels"] == {"owner": "ann"}
    assert (lease["spec"]["leaseDurationSeconds"], lease["spec"]["leaseTransitions"]) == (SHORT["duration_seconds"], 0)


def test_two_installations_are_two_elections(world: World) -> None:
    leaders = [world.start(lease, lease=lease) for lease in ("podreduce", "another")]
    for leader in leaders:
        world.wait_for(leader, "write", 20)
