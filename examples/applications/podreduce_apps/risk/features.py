"""The numbers that the models see of a transaction, and what they are called for people. Pure."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["FEATURES", "feature_matrix"]

FEATURES = {
    "amount": "amount",
    "weekend": "weekend",
    "night": "night",
    "card_count_1d": "transactions of the card in 1 day",
    "card_mean_1d": "mean amount of the card in 1 day",
    "card_count_7d": "transactions of the card in 7 days",
    "card_mean_7d": "mean amount of the card in 7 days",
    "card_count_30d": "transactions of the card in 30 days",
    "card_mean_30d": "mean amount of the card in 30 days",
    "merchant_count_1d": "transactions of the merchant in 1 day",
    "merchant_risk_1d": "fraud at the merchant in 1 day",
    "merchant_count_7d": "transactions of the merchant in 7 days",
    "merchant_risk_7d": "fraud at the merchant in 7 days",
    "merchant_count_30d": "transactions of the merchant in 30 days",
    "merchant_risk_30d": "fraud at the merchant in 30 days",
}


def feature_matrix(table: pa.Table | pa.RecordBatch) -> npt.NDArray[np.float64]:
    """Return the features, a row for each transaction. The amount is in units of the currency, not in cents."""
    columns = [table[name].to_numpy().astype(np.float64) for name in FEATURES]
    columns[0] = columns[0] / 100
    return np.column_stack(columns)
