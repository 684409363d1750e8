"""The README's quick start on kind with nothing left out: from `kind create cluster` to `kind delete cluster`.

The engine is the machine's own, or one that is made here and taken away again; in that case the machine is compared
before and after. Run by `make kind` alone.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.kind import footprint, machine
from tests.conftest import tier_cannot_run
from tests.support.quick_start import as_script, assert_it_worked, make_place, run_bash

CLUSTER = "podreduce-quick-start"
SECONDS = 3000
"""Of which the most pass while programs and the node image are built, once per machine."""

pytestmark = [pytest.mark.kind, pytest.mark.timeout(SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The quick start's output and place, and what has changed on the machine; None where the engine was up before."""

    script: subprocess.CompletedProcess[str]
    counts: Path
    changes: list[str] | None


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    if why := machine.why_not():
        tier_cannot_run("kind", why)
    place = make_place(tmp_path_factory.mktemp("quick-start"))
    was_up = machine.is_up()
    before = footprint.take()
    machine.up()
    try:
        script = run_quick_start(place)
    finally:
        subprocess.run(machine.command("kind", "delete", "cluster", f"--name={CLUSTER}"), check=True)
        if not was_up:
            machine.down()
    changes = None if was_up else footprint.changes(before, footprint.take())
    sys.stderr.write(script.stdout)  # for a release's note: `make kind` shows it
    return Ran(script=script, counts=place / "counts", changes=changes)


def run_quick_start(place: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks with a cluster and a KUBECONFIG of their own."""
    own = [f"KIND_CLUSTER_NAME={CLUSTER}", f"KUBECONFIG={place / 'kubeconfig'}"]
    beginning = machine.command("env", *own)
    return run_bash(as_script(), place=place, environment={}, beginning=beginning, timeout=SECONDS)


def test_the_quick_start_works_as_written(ran: Ran) -> None:
    assert_it_worked(ran.script, ran.counts)


def test_nothing_of_it_is_left_on_the_machine(ran: Ran) -> None:
    if ran.changes is None:
        pytest.skip("the Docker engine was up before and stays")
    assert ran.changes == []
    assert machine.leftovers() == []
