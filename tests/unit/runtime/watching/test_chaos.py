import os
import signal
import subprocess
import sys
import time

import pytest

from podreduce.contract.chaos import ChaosOptions
from podreduce.contract.errors import StorageUnavailableError
from podreduce.storage import open_store
from podreduce.storage.place import Place
from podreduce.storage.retries import with_retries
from podreduce.watching.chaos import Chaos, chaos_of, slowed
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.plans import make_plan

ATTEMPTS = [f"uid-{number}-0" for number in range(2000)]
FATES = """
from podreduce.watching.chaos import Chaos
from podreduce.contract.chaos import ChaosOptions
print([Chaos(ChaosOptions(kill_percent=50), f"uid-{number}-0").killed_at for number in range(5)])
"""
KILLED = """
import time
from podreduce.watching.chaos import killed_at
done = iter([0.1, 0.2])
with killed_at(0.5, lambda: next(done, 0.6)):
    time.sleep(60)
"""


def share(options: ChaosOptions, what: str) -> float:
    """The part of the attempts that something befalls."""
    chosen = [Chaos(options, attempt) for attempt in ATTEMPTS]
    struck = [each.killed_at is not None if what == "killed" else each.slow_factor > 1 for each in chosen]
    return sum(struck) / len(struck)


@pytest.mark.parametrize(("percent", "low", "high"), [(0, 0, 0), (11, 0.09, 0.13), (100, 1, 1)])
def test_as_many_attempts_are_struck_as_was_asked_for(percent: float, low: float, high: float) -> None:
    assert low <= share(ChaosOptions(kill_percent=percent), "killed") <= high
    assert low <= share(ChaosOptions(slow_percent=percent), "slowed") <= high


def test_what_befalls_an_attempt_follows_from_its_id() -> None:
    options = ChaosOptions(kill_percent=50)
    fates = [Chaos(options, each).killed_at for each in ATTEMPTS[:5]]
    assert len(set(fates)) > 2
    assert [run(FATES, hash_seed=seed).stdout for seed in ("1", "2")] == [f"{fates}\n"] * 2


def test_a_plan_without_chaos_has_none() -> None:
    chaos = chaos_of(make_plan(), "uid-0")
    store = open_store("memory://quiet/")
    assert (chaos.killed_at, chaos.slow_factor) == (None, 1.0)
    assert chaos.trouble(store) is store
    with chaos.at_work(lambda: 1.0):
        pass


def test_a_plan_says_what_befalls_its_attempts() -> None:
    spec = make_raw_spec(chaos={"killPercent": 100, "slowPercent": 100, "slowFactor": 3})
    chaos = chaos_of(make_plan(spec=spec), "uid-0")
    assert chaos.killed_at is not None
    assert 0.0 < chaos.killed_at < 1.0
    assert chaos.slow_factor == 3


def run(program: str, *, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)


def test_an_attempt_is_killed_once_it_has_done_so_much() -> None:
    assert run(KILLED).returncode == -signal.SIGKILL


@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_an_attempt_is_slowed_down_by_its_factor(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with slowed(factor):
        while len(slept) < 3:
            pass
    assert slept == [pytest.approx(0.05 * (factor - 1))] * 3


def test_an_attempt_is_slowed_down_slice_by_slice() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with slowed(1.01):
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        assert (0 < left <= 0.05, interval) == (True, 0.0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0), "nothing interrupts what comes after it"
    assert signal.getsignal(signal.SIGALRM) == before


def test_an_attempt_at_work_is_slowed_down() -> None:
    with Chaos(ChaosOptions(slow_percent=100, slow_factor=1.01), "uid-0").at_work(lambda: 0.0):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0


def test_a_stores_requests_fail_as_often_as_was_asked_for() -> None:
    options = ChaosOptions(storage_error_percent=30)
    troubled = Chaos(options, "uid-0").trouble(open_store("s3://bucket/"))
    failed = 0
    for _ in range(1000):
        try:
            troubled.inject_fault()
        except OSError:
            failed += 1
    assert 250 < failed < 350


def test_only_s3_has_such_trouble() -> None:
    store = open_store("memory://calm/")
    assert Chaos(ChaosOptions(storage_error_percent=100), "uid-0").trouble(store) is store


def test_a_request_that_fails_by_chaos_is_tried_again() -> None:
    fates = iter([OSError("503 SlowDown"), OSError("503 SlowDown"), None])

    def inject_fault() -> None:
        error = next(fates)
        if error is not None:
            raise error

    place = Place(verb="read", uri="s3://bucket/key", endpoint="http://127.0.0.1:1", inject_fault=inject_fault)
    assert with_retries(lambda: "data", place) == "data"


def test_a_request_that_fails_by_chaos_for_good_is_an_outage() -> None:
    def inject_fault() -> None:
        raise OSError("503 SlowDown")

    place = Place(verb="read", uri="s3://bucket/key", endpoint=None, inject_fault=inject_fault)
    with pytest.raises(StorageUnavailableError, match="503 SlowDown"):
        with_retries(lambda: "data", place)
