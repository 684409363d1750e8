"""The library `implicit` (MIT) on the same matrix, with the same settings: another program for the same model.

It is installed into the test cache, pinned by its hash. Where there is no wheel of it, nothing is compared.
"""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse

from podreduce_apps.recommendation.measures import find_hits, measure
from tests.cluster.paths import CHECKOUT, cache_directory

__all__ = ["NoOracleError", "implicit_ndcg"]

REQUIREMENTS = CHECKOUT / "requirements" / "oracles.txt"


class NoOracleError(Exception):
    """The library is not in the cache, and cannot be installed."""


def install() -> Path:
    """The directory with the library, which is installed if it is not there."""
    directory = cache_directory() / "oracles"
    if not (directory / "implicit").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--target", str(directory), "-r", str(REQUIREMENTS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise NoOracleError(f"implicit cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return directory


def implicit_ndcg(users: np.ndarray, items: np.ndarray, is_train: np.ndarray, parameters: dict[str, str]) -> float:
    """NDCG@10 of the library's lists, over the users with something to predict."""
    sys.path.append(str(install()))
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
