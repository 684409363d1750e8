"""The step `split`: divides each user's history into the part that models learn from, and the part to be predicted.

This is the only step that reads both parts. `time` is honest: what is predicted lies after everything that is known.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_choice, read_fraction
from podreduce_apps.recommendation.lists import (
    Ints,
    build_lists,
    flat_values,
    keep_in_lists,
    list_offsets,
    rows_of_values,
)
from podreduce_apps.recommendation.times import find_cut

__all__ = ["SPLITS", "Split", "last_of_each"]

SPLITS = ("time", "user", "given", "none")
TEST_SET = 1


class Split:
    """Divides histories in two.

    Parameters: `split`: `time` (the last events of all), `user` (each user's last), `given` (the column `set` of the
    events says `train` or `test`), `none` (nothing is tested); `testFraction`. Side input: `times`.
    """

    def setup(self, context: JobContext) -> None:
        """Read the parameters, and find the time at which the test begins."""
        self.split = read_choice(context.parameters, "split", SPLITS)
        self.fraction = read_fraction(context.parameters, "testFraction")
        self.cut = find_cut(context.side_table("times"), self.fraction) if self.split == "time" else 0

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each user with both parts."""
        people = pa.table(batch).filter(pc.is_valid(batch.column("user"))).combine_chunks()
        offsets = list_offsets(people["items"])
        is_test = self.choose_test(people, offsets)
        train, test = keep_in_lists(offsets, ~is_test), keep_in_lists(offsets, is_test)
        columns = {"user": people["user"]}
        for name in ("items", "times", "values"):
            values = flat_values(people[name])
            columns[name] = build_lists(train, values.filter(pa.array(~is_test)))
            columns[f"test_{name}"] = build_lists(test, values.filter(pa.array(is_test)))
        return pa.table({**columns, "is_kept": np.diff(train) > 0})

    def choose_test(self, people: pa.Table, offsets: Ints) -> npt.NDArray[np.bool_]:
        """Tell which events are to be predicted."""
        times = flat_values(people["times"]).to_numpy()
        if self.split == "time":
            return np.asarray(times >= self.cut)
        if self.split == "user":
            return last_of_each(times, offsets, self.fraction)
        if self.split == "given":
            return np.asarray(flat_values(people["sets"]).to_numpy() == TEST_SET)
        return np.zeros(len(times), np.bool_)


def last_of_each(times: Ints, offsets: Ints, fraction: float) -> npt.NDArray[np.bool_]:
    """Tell which values are among the latest of their list; ceil((1 - fraction) n) of n stay."""
    rows, sizes = rows_of_values(offsets), np.diff(offsets)
    order = np.lexsort((times, rows))
    ranks = np.empty(len(times), np.int64)
    ranks[order] = np.arange(len(times)) - offsets[rows]
    stay = np.ceil((1 - fraction) * sizes - 1e-9).astype(np.int64)
    return np.asarray(ranks >= stay[rows])
