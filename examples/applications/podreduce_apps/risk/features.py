"""The numbers that the models see of a transaction, and what they are called for people. Pure."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["FEATURES", "feature_matrix"]

FEATURES = {
    "amount": "the amount",
    "weekend": "at a weekend",
    "night": "at night",
    "card_count_1d": "the card's transactions in 1 day",
    "card_mean_1d": "the card's mean amount in 1 day",
    "card_count_7d": "the card's transactions in 7 days",
    "card_mean_7d": "the card's mean amount in 7 days",
    "card_count_30d": "the card's transactions in 30 days",
    "card_mean_30d": "the card's mean amount in 30 days",
    "merchant_count_1d": "the merchant's transactions in 1 day, delayed",
    "merchant_risk_1d": "the merchant's share of fraud in 1 day, delayed",
    "merchant_count_7d": "the merchant's transactions in 7 days, delayed",
    "merchant_risk_7d": "the merchant's share of fraud in 7 days, delayed",
    "merchant_count_30d": "the merchant's transactions in 30 days, delayed",
    "merchant_risk_30d": "the merchant's share of fraud in 30 days, delayed",
}


def feature_matrix(table: pa.Table | pa.RecordBatch) -> npt.NDArray[np.float64]:
    """Return the features, a row for each transaction. The amount is in units of the currency, not in cents."""
    columns = [table[name].to_numpy().astype(np.float64) for name in FEATURES]
    columns[0] = columns[0] / 100
    return np.column_stack(columns)
