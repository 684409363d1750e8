"""The calibration beside scikit-learn's, and that it never sees a training day or a day that it is judged by."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import _SigmoidCalibration

from podreduce_apps.risk.calibration import Calibrate, Calibration, fit_calibration
from podreduce_apps.risk.features import FEATURES
from podreduce_apps.risk.logistic import predict
from podreduce_apps.risk.periods import DAY_SECONDS, Periods, day_text

PARAMETERS = {
    "trainFrom": "2018-07-18",
    "trainDays": "7",
    "calibrationDays": "7",
    "delayDays": "7",
    "scoreDays": "7",
}
PERIODS = Periods.read(PARAMETERS)
SIZE = len(FEATURES)


def draw_scores(seed: int, count: int = 3000, *, slope: float = 0.6, intercept: float = -1.0) -> Any:
    """Return log odds of a model that says too much, and frauds."""
    random = np.random.default_rng(seed)
    scores = random.normal(-3, 2, count)
    return scores, (random.uniform(size=count) < predict(slope * scores + intercept)).astype(np.int8)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_scikit_learn_finds(seed: int) -> None:
    scores, fraud = draw_scores(seed)
    peer = _SigmoidCalibration().fit(scores, fraud)

    found = fit_calibration(scores, fraud)

    assert isinstance(found, Calibration)
    assert np.allclose(predict(found.apply(scores)), peer.predict(scores), rtol=0, atol=1e-6)
    assert found == fit_calibration(scores[::-1].copy(), fraud[::-1].copy())


def test_it_finds_what_was_planted_and_later_days_are_nearer_to_the_truth() -> None:
    scores, fraud = draw_scores(1, 200_000)
    later_scores, later_fraud = draw_scores(2, 200_000)

    found = fit_calibration(scores, fraud)

    assert isinstance(found, Calibration)
    assert (found.slope, found.intercept) == (pytest.approx(0.6, abs=0.03), pytest.approx(-1.0, abs=0.05))
    before, after = (np.mean((predict(each) - later_fraud) ** 2) for each in (later_scores, found.apply(later_scores)))
    assert after < 0.9 * before
    assert np.array_equal(np.argsort(found.apply(later_scores)), np.argsort(later_scores))


@pytest.mark.parametrize(
    ("scores", "fraud", "reason"),
    [
        pytest.param([0.0, 1.0] * 20, [0, 0] * 20, "0 frauds among 40", id="no frauds"),
        pytest.param([0.0, 1.0] * 20, [1, 1] * 20, "40 frauds among 40", id="nothing else"),
        pytest.param([2.0] * 40, [0, 1] * 20, "the same score", id="one score"),
        pytest.param([1.0, 0.0] * 20, [0, 1] * 20, "does not rank", id="the wrong way round"),
    ],
)
def test_it_says_why_there_is_none(scores: list[float], fraud: list[int], reason: str) -> None:
    assert reason in str(fit_calibration(np.array(scores), np.array(fraud, np.int8)))


def test_scores_that_part_the_kinds_have_finite_probabilities() -> None:
    found = fit_calibration(np.array([-1.0] * 30 + [1.0] * 30), np.array([0] * 30 + [1] * 30, np.int8))

    assert isinstance(found, Calibration)
    assert predict(found.apply(np.array([-1.0, 1.0]))) == pytest.approx([1 / 32, 31 / 32], abs=1e-6)


DAYS = st.integers(0, 400).map(str)


@given(DAYS, DAYS, st.integers(1, 60).map(str), DAYS)
def test_calibration_days_lie_behind_training_and_their_reports_are_there_before_the_first_scored_day(
    train: str, calibrate: str, delay: str, later: str
) -> None:
    words = {"trainDays": train, "calibrationDays": calibrate, "delayDays": delay, "scoreDays": "7"}
    first = Periods.read({"trainFrom": "2018-01-01", **words})
    daily = Periods.read({"trainFrom": "2018-01-01", **words, "scoreFrom": day_text(first.score_from + int(later))})

    for periods in (first, daily):
        assert periods.train_from <= periods.train_to <= periods.calibrate_to
        assert periods.calibrate_to - periods.train_to == int(calibrate)
        assert periods.calibrate_to + periods.delay_days <= periods.score_from
    with pytest.raises(ValueError, match="calibration"):
        Periods.read({"trainFrom": "2018-01-01", **words, "scoreFrom": day_text(first.score_from - 1)})


class FakeContext:
    task = "r-0"
    parameters = PARAMETERS

    def side_input(self, name: str) -> Any:
        found = {
            "moments": {"mean": [0.0] * SIZE, "deviation": [1.0] * SIZE},
            "model": {"beta": [1.0] + [0.0] * SIZE},
        }
        return iter(found[name].items())


def draw_rows(seed: int = 0, count: int = 2000) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    days = random.integers(PERIODS.train_from - 3, PERIODS.score_to + 3, count)
    amounts = random.integers(0, 500, count)
    return {
        **{name: random.uniform(size=count) for name in FEATURES},
        "id": np.array([f"t{i}" for i in range(count)]),
        "time": days * DAY_SECONDS + random.integers(0, DAY_SECONDS, count),
        "amount": amounts,
        "fraud": (random.uniform(size=count) < amounts / 1000).astype(np.int8),
        "compromised": (random.uniform(size=count) < 0.1).astype(np.int8),
    }


def calibrate(rows: dict[str, Any], parts: int = 1) -> dict[str, Any]:
    """Return what the job finds."""
    job = Calibrate()
    job.setup(FakeContext())
    values: list[bytes] = []
    for places in np.array_split(np.arange(len(rows["id"])), parts):
        batch = pa.record_batch({name: pa.array(column[places]) for name, column in rows.items()})
        values += job.map_batch(batch)["value"].to_pylist()
    return dict(job.reduce_func(0, iter(values)))


def test_only_the_calibration_days_decide_and_of_them_only_cards_that_are_not_blocked() -> None:
    rows = draw_rows()
    days = rows["time"] // DAY_SECONDS
    inside = (days >= PERIODS.train_to) & (days < PERIODS.calibrate_to) & (rows["compromised"] == 0)
    expected = calibrate(rows, 1)
    assert {"slope", "intercept"} <= expected.keys()
    assert expected["rows"] == inside.sum()

    outside = {**rows, "fraud": np.where(inside, rows["fraud"], 1 - rows["fraud"]).astype(np.int8)}
    assert calibrate(outside, 7) == expected
    fewer = {name: column[inside] for name, column in rows.items()}
    assert calibrate(fewer, 3) == expected
    one = np.flatnonzero(inside)[5]
    for name, value in (("fraud", 1 - rows["fraud"][one]), ("amount", rows["amount"][one] + 1), ("id", "other")):
        changed = {**rows, name: rows[name].copy()}
        changed[name][one] = value
        assert calibrate(changed)["digest"] != expected["digest"]
    relabelled = {**rows, "fraud": rows["fraud"].copy()}
    relabelled["fraud"][one] = 1 - relabelled["fraud"][one]
    assert calibrate(relabelled)["slope"] != expected["slope"]


def test_without_calibration_days_nothing_changes() -> None:
    job = Calibrate()
    job.setup(FakeContext())
    job.periods = Periods.read({**PARAMETERS, "calibrationDays": "0"})
    rows = draw_rows()

    batch = job.map_batch(pa.record_batch({name: pa.array(column) for name, column in rows.items()}))

    assert batch.num_rows == 0
    scores = np.array([-700.0, -1.0, 0.0, 3.0])
    assert np.array_equal(Calibration.read({}).apply(scores), scores)
