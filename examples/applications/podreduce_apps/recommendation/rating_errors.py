"""How far predicted ratings are off: root mean square and mean, from the sums of `rate`."""

from dataclasses import dataclass
from math import sqrt

from podreduce_apps.recommendation.exact_sums import SCALE
from podreduce_apps.recommendation.leaderboard import TWO_SIDED_95, Sums

__all__ = ["RatingError", "rating_errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingError:
    """Errors of a model. `half_width`: of the 95 % confidence interval of the root mean square, over users."""

    root_mean_square: float
    half_width: float
    mean_absolute: float
    ratings: int


def rating_errors(sums: Sums) -> dict[str, RatingError]:
    """Return each model's errors, the best model first; none if no rating was predicted."""
    found = {model: error_of(sums, model) for model in sums.get("ratings", {})}
    return dict(sorted(found.items(), key=lambda each: (each[1].root_mean_square, each[0])))


def error_of(sums: Sums, model: str) -> RatingError:
    """Return a model's errors. The interval is that of a ratio of two sums: Cochran, Sampling Techniques, 6.3."""
    users, ratings = sums["rating users"][model][""], sums["ratings"][model][""]
    squares, spread, both = (
        sums[name][model][""] / SCALE for name in ("errors", "errors squared", "errors by ratings")
    )
    mean = squares / ratings
    deviations = max(spread - 2 * mean * both + mean**2 * sums["ratings squared"][model][""], 0)
    error = sqrt(deviations * users / max(users - 1, 1)) / ratings
    root = sqrt(mean)
    return RatingError(
        root_mean_square=root,
        half_width=TWO_SIDED_95 * error / (2 * root) if root else 0.0,
        mean_absolute=sums["absolute errors"][model][""] / SCALE / ratings,
        ratings=ratings,
    )
