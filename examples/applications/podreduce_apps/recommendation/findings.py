"""What the report is made of, before it is drawn, and metrics.json. Needs no library of plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.recommendation.leaderboard import Sums, coverage, measures_of, models_of, novelty
from podreduce_apps.recommendation.names import ItemNames
from podreduce_apps.recommendation.rating_errors import rating_errors
from podreduce_apps.recommendation.shown_users import Drawn

__all__ = ["Findings", "describe"]

SPLITS = {
    "time": "the last events of all are predicted from all events before {cut}",
    "user": "each user's last events are predicted from the earlier ones; models have seen later events of others",
    "given": "the events that the data mark as test are predicted from the others",
    "none": "nothing is predicted: all events teach the models",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that the report is made of.

    Attributes:
        sums: as `evaluate` names them.
        names: of the items.
        counts: how many users of the train part each item has, by id.
        times: how many events there are at each second since 1970.
        cut: the time at which the test begins; None: not by time.
        users: some users with `history`, `chosen`, `items` and `reasons`.
        parameters: of the pipeline.
    """

    sums: Sums
    names: ItemNames
    counts: Sequence[int]
    times: Mapping[int, int]
    cut: int | None
    users: Sequence[Drawn]
    parameters: Mapping[str, str]

    def fact(self, name: str) -> int:
        """Return a number of the data."""
        return self.sums["data"].get(name, {}).get("", 0)

    @property
    def protocol(self) -> str:
        """How the measures were taken, in a sentence."""
        if self.parameters["split"] == "none":
            return "Nothing is tested: all events teach the models."
        split = SPLITS[self.parameters["split"]].format(cut=read_time(self.cut or 0))
        return (
            "Full ranking: every item of the train part is ranked for each user with something to predict "
            f"({count_of(self.fact('users with a test'), 'user')}), "
            f"without the items that the user has; {split}."
        )


def read_time(seconds: int) -> str:
    """Return a time as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def describe(findings: Findings) -> dict[str, Any]:
    """Return what metrics.json holds."""
    sums, users = findings.sums, findings.fact("users models learn from")
    models = {}
    for model in models_of(sums):
        means = measures_of(sums, model).items()
        models[model] = {
            "measures": {name: {"mean": mean.value, "halfWidth95": mean.half_width} for name, mean in means},
            "coverage": coverage(sums, model, len(findings.counts)),
            "noveltyBits": novelty(sums, model, findings.counts, users),
        }
    return {
        "protocol": findings.protocol,
        "parameters": findings.parameters,
        "data": {name: numbers[""] for name, numbers in sums["data"].items()},
        "clean": {name: numbers[""] for name, numbers in sums.get("clean", {}).items()},
        "items": len(findings.counts),
        "models": models,
        "ratings": {
            model: {
                "rootMeanSquareError": each.root_mean_square,
                "halfWidth95": each.half_width,
                "meanAbsoluteError": each.mean_absolute,
                "ratings": each.ratings,
            }
            for model, each in rating_errors(sums).items()
        },
    }
