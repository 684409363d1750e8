"""The library `implicit` (MIT) on the same matrix, with the same settings: another program for the same model."""

import importlib
import warnings

import numpy as np
from scipy import sparse

from podreduce_apps.recommendation.measures import find_hits, measure
from tests.applications.recommendation.oracles import use_oracle

__all__ = ["implicit_ndcg"]


def implicit_ndcg(users: np.ndarray, items: np.ndarray, is_train: np.ndarray, parameters: dict[str, str]) -> float:
    """NDCG@10 of the library's lists, over the users with something to predict."""
    use_oracle("implicit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that BLAS has several threads
        als = importlib.import_module("implicit.cpu.als")
        model = als.AlternatingLeastSquares(
            factors=int(parameters["alsFactors"]),
            regularization=float(parameters["alsPenalty"]),
            alpha=1 + float(parameters["alsWeight"]),  # its confidence is that of all choices, ours what they add to 1
            iterations=int(parameters["alsRounds"]),
            dtype=np.float64,
            use_cg=False,
            random_state=0,
            num_threads=1,
        )
        shape = (users.max() + 1, items.max() + 1)
        known = sparse.csr_matrix((np.ones(is_train.sum()), (users[is_train], items[is_train])), shape)
        model.fit(known, show_progress=False)
    tests = sparse.csr_matrix((np.ones((~is_train).sum()), (users[~is_train], items[~is_train])), shape)
    tested = np.flatnonzero(np.diff(tests.indptr))
    lists, _ = model.recommend(tested, known[tested], N=10, filter_already_liked_items=True)
    chosen, offsets = tests[tested].indices.astype(np.int64), tests[tested].indptr.astype(np.int64)
    places = np.arange(len(tested) + 1, dtype=np.int64) * 10
    hits = find_hits(lists.ravel().astype(np.int64), places, chosen, offsets, 10)
    return float(measure(hits, np.diff(offsets))["ndcg@10"].mean())
