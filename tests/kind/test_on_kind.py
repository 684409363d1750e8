"""The README's quick start on kind with nothing left out, then the end-to-end tests, then whether anything is left.

The engine is the machine's own, or one that is made here and taken away again; in that case the machine is compared
before and after. The tests run in their order, and any of them can be left out. Run by `make kind` alone.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.build import announce
from tests.cluster.kind import footprint, machine
from tests.cluster.kind.footprint import Footprint
from tests.cluster.paths import CHECKOUT
from tests.conftest import tier_cannot_run
from tests.support.quick_start import as_script, assert_it_worked, make_place, run_bash

CLUSTER = "podreduce-quick-start"
SECONDS = 3000
"""Ample for the quick start. What is built once per machine is built before it, and counts not."""

END_TO_END_SECONDS = 3 * 3600

pytestmark = pytest.mark.kind


@pytest.fixture(scope="module")
def before() -> Iterator[Footprint | None]:
    """Bring the engine up; the machine as it was before that, or None where the engine was up already and stays."""
    if why := machine.why_not():
        tier_cannot_run("kind", why)
    was_up = machine.is_up()
    found = None if was_up else footprint.take()
    machine.up()
    yield found
    if not was_up:
        machine.down()


@pytest.mark.timeout(SECONDS)
@pytest.mark.usefixtures("before")
def test_the_quick_start_works_as_written(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    started = time.monotonic()
    try:
        script = run_quick_start(place)
    finally:
        subprocess.run(machine.command("kind", "delete", "cluster", f"--name={CLUSTER}"), check=True)
    sys.stderr.write(script.stdout)  # for a release's note: `make kind` shows it
    assert_it_worked(script, place / "counts")
    announce(f"the quick start took {time.monotonic() - started:.0f} s")


def run_quick_start(place: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks with a cluster and a KUBECONFIG of their own."""
    own = [f"KIND_CLUSTER_NAME={CLUSTER}", f"KUBECONFIG={place / 'kubeconfig'}"]
    beginning = machine.command("env", *own)
    return run_bash(as_script(), place=place, environment={}, beginning=beginning, timeout=SECONDS)


@pytest.mark.timeout(END_TO_END_SECONDS)
@pytest.mark.usefixtures("before")
def test_the_end_to_end_tests_pass() -> None:
    tests = [sys.executable, "-m", "pytest", "-m", "e2e", "tests/e2e"]
    ran = subprocess.run(machine.command(*tests), cwd=CHECKOUT, timeout=END_TO_END_SECONDS, check=False)
    assert ran.returncode == 0, "the end-to-end tests failed on kind: see above, where `make kind` shows them"


def test_nothing_of_it_is_left_on_the_machine(before: Footprint | None) -> None:
    if before is None:
        pytest.skip("the Docker engine was up before and stays")
    machine.down()
    assert footprint.changes(before, footprint.take()) == []
    assert machine.leftovers() == []
