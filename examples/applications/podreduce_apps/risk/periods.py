"""The days that a run is about: where it learns, how late reports are, and which days it scores. Pure.

train_from ... train_to | ... calibrate_to | delay_days | score_from ... score_to
learned from              probabilities      not yet      scored and, once reports are there, evaluated
                          set right by       reported

So the model never sees a day that its probabilities are set right by, and neither sees a day that they are judged by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

__all__ = ["DAY_SECONDS", "Periods", "day_number", "day_text"]

DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Days since 1970 in UTC; each end is exclusive.

    Attributes:
        train_from: first day to learn from.
        train_to: the day after the last one to learn from, and the first to calibrate by.
        calibrate_to: the day after the last one to calibrate by; equals `train_to` if there is none.
        delay_days: how many days after a transaction its report counts as known.
        score_from: first day to score.
        score_to: the day after the last one to score.
    """

    train_from: int
    train_to: int
    calibrate_to: int
    delay_days: int
    score_from: int
    score_to: int

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "Periods":
        """Return the periods of a job's parameters `trainFrom`, `trainDays`, `delayDays` and `scoreDays`.

        With `calibrationDays`, so many days lie between training and delay. With `scoreFrom`, as in a daily run,
        another day than the first possible one is the first that is scored.

        Raises:
            ValueError: a parameter is no date or no number of days, there is no delay, or scoring begins too early.
        """
        train_from = day_number(parameters["trainFrom"], "trainFrom")
        train_days, delay_days, score_days = (
            read_days(parameters, name) for name in ("trainDays", "delayDays", "scoreDays")
        )
        if not delay_days:
            raise ValueError(
                "parameter delayDays: '0' would let each transaction know its own report: write at least 1"
            )
        train_to = train_from + train_days
        calibrate_to = train_to + (read_days(parameters, "calibrationDays") if "calibrationDays" in parameters else 0)
        score_from = calibrate_to + delay_days
        if parameters.get("scoreFrom"):
            score_from = day_number(parameters["scoreFrom"], "scoreFrom")
            if score_from < calibrate_to + delay_days:
                raise ValueError(
                    f"parameter scoreFrom: {parameters['scoreFrom']} is before {day_text(calibrate_to + delay_days)}, "
                    "when training, calibration and label delay are over: the model may have seen these days"
                )
        return cls(
            train_from=train_from,
            train_to=train_to,
            calibrate_to=calibrate_to,
            delay_days=delay_days,
            score_from=score_from,
            score_to=score_from + score_days,
        )


def read_days(parameters: Mapping[str, str], name: str) -> int:
    """Return a parameter that is a number of days.

    Raises:
        ValueError: it is none.
    """
    text = parameters[name]
    if not text.isdecimal():
        raise ValueError(f"parameter {name}: {text!r} is no number of days: write one such as 7")
    return int(text)


def day_number(text: str, name: str) -> int:
    """Return a date such as 2018-07-25 as days since 1970.

    Raises:
        ValueError: it is no date; the message has the name.
    """
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise ValueError(f"parameter {name}: {text!r} is no date: write one such as 2018-07-25") from error


def day_text(day: int) -> str:
    """Return days since 1970 as a date such as 2018-07-25."""
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat()
