"""Transfers between accounts, as the rules about money laundering read them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from podreduce_apps.parameters import read_fraction, read_positive, read_whole
from podreduce_apps.risk.periods import DAY_SECONDS

__all__ = ["Limits", "Transfer", "read_transfer"]


@dataclass(frozen=True, slots=True, order=True)
class Transfer:
    """One transfer; in order of time, then of id. The amount is in hundredths."""

    time: int
    id: str
    source: str
    target: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the rules look for.

    Attributes:
        window_seconds: how long a pattern may take.
        share: each hop of a cycle moves at least this share of the first one's amount, and no more than it.
        accounts: from so many different accounts on, many small transfers are a pattern.
        amount: a transfer below it counts as small; together they reach it. In hundredths.
        hub_transfers: an account with more transfers than this is a hub, such as a bank's own, and is left out.
    """

    window_seconds: int
    share: float
    accounts: int
    amount: int
    hub_transfers: int

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "Limits":
        """Return the limits of a job's parameters."""
        return cls(
            window_seconds=read_whole(parameters, "windowDays", least=1) * DAY_SECONDS,
            share=read_fraction(parameters, "cycleShare", with_one=True),
            accounts=read_whole(parameters, "smurfAccounts", least=1),
            amount=round(read_positive(parameters, "smurfAmount") * 100),
            hub_transfers=read_whole(parameters, "hubTransfers", least=1),
        )


def read_transfer(row: Mapping[str, Any]) -> Transfer:
    """Return the transfer of a CSV row with `id`, `time`, `from`, `to` and `amount`.

    Raises:
        ValueError: the time has no offset from UTC, or the amount is no positive number.
    """
    time = datetime.fromisoformat(row["time"])
    if time.tzinfo is None:
        raise ValueError(f"time {row['time']!r} does not say its offset from UTC: write it as in 2018-07-25T08:30:00Z")
    try:
        amount = int(Decimal(row["amount"]) * 100)
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError(f"amount {row['amount']!r} is no number") from error
    if amount <= 0:
        raise ValueError(f"amount {row['amount']!r} is not positive")
    return Transfer(int(time.timestamp()), row["id"], row["from"], row["to"], amount)
