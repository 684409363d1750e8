"""Boosted trees applied with numpy, beside scikit-learn; the correction for left-out rows, by counting."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from podreduce_apps.risk.boosted import DEPTH, BoostedModel, correct_for_sampling, mean_probability
from podreduce_apps.risk.boosting import TREES, Boosting, learn
from podreduce_apps.risk.features import FEATURES


def draw_rows(seed: int = 0, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, len(FEATURES))) * 100
    return features, (features[:, 0] + features[:, 3] > 150).astype(np.int8)


def test_a_model_that_was_read_again_says_what_scikit_learn_says() -> None:
    features, fraud = draw_rows()
    peer = GradientBoostingClassifier(n_estimators=TREES, max_depth=DEPTH, random_state=5).fit(features, fraud)

    model = BoostedModel(**learn(features, fraud, 5, 1.0).to_dict())

    assert np.allclose(model.probability(features), peer.predict_proba(features)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.1])
def test_the_correction_gives_the_share_among_all_rows(kept: float) -> None:
    frauds, others = 30, 2970
    among_kept = frauds / (frauds + others * kept)

    assert correct_for_sampling(np.array([0.0, among_kept, 1.0]), kept) == pytest.approx([0, frauds / 3000, 1])


class FakeContext:
    parameters = {"boostedModels": "2", "legitimateShare": "0.5", "forestSeed": "1"}

    def __init__(self) -> None:
        self.counted: list[str] = []

    def count(self, _group: str, name: str, _n: int = 1) -> None:
        self.counted.append(name)


def make_job() -> tuple[Boosting, FakeContext]:
    job, context = Boosting(), FakeContext()
    job.setup(context)
    return job, context


def test_all_frauds_and_a_share_of_the_rest_are_kept_in_all_partitions() -> None:
    features, fraud = draw_rows(1)
    features[:, 0] *= 100  # the amount is in cents
    columns = dict(zip(FEATURES, features.T, strict=True))
    batch = pa.record_batch({"id": [str(i) for i in range(len(fraud))], **columns, "fraud": fraud})

    table = make_job()[0].map_batch(batch)

    kept = np.array(table["value"].to_pylist())
    assert kept[:, 1].sum() == fraud.sum()
    assert abs(np.count_nonzero(kept[:, 1] == 0) / np.count_nonzero(fraud == 0) - 0.5) < 0.1
    assert set(table["key"].to_pylist()) == {0, 1}


def test_the_order_of_rows_does_not_change_a_model_and_one_kind_of_rows_makes_none() -> None:
    features, fraud = draw_rows(2, 200)
    values = [[float(i), float(f), *row] for i, (f, row) in enumerate(zip(fraud, features.tolist(), strict=True))]
    job, context = make_job()

    assert list(job.reduce_func(0, iter(values))) == list(job.reduce_func(0, iter(values[::-1])))
    assert list(job.reduce_func(1, iter([value for value in values if value[1] == 0]))) == []
    assert context.counted == ["partitionsWithoutModel"]
    assert np.isnan(mean_probability([], features)).all()
