"""How good the scores are in each part of the transactions: each channel, country and range of amounts. Pure.

A model may be good on the whole and useless for one channel; who approves it has to see that.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.risk.ranking_metrics import ranking_curve

__all__ = ["measure_slices"]

MOST_SLICES = 10
AMOUNTS = (0, 1_000, 10_000, 100_000)
"""Where ranges of amounts begin, in cents; refunds are in the first."""

Floats = npt.NDArray[np.float64]
Frauds = npt.NDArray[np.int8]
Codes = npt.NDArray[np.int64]


def measure_slices(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return the figures of each slice, those with most transactions first; of texts only the ten most frequent."""
    probability, fraud = rows["probability"].to_numpy(), rows["fraud"].to_numpy()
    found = {}
    for name in ("channel", "country"):
        codes, names = coded(rows[name])
        found[name] = measure_codes(codes, names, probability, fraud)
    ranges = np.searchsorted(AMOUNTS, rows["amount"].to_numpy(), side="right").clip(min=1) - 1
    found["amount"] = measure_codes(ranges, [f"from {start // 100:,}" for start in AMOUNTS], probability, fraud)
    return found


def coded(column: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """Return a text column as numbers, and the text of each number."""
    encoded = column.combine_chunks()
    encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
    names = [*(text or "?" for text in encoded.dictionary.to_pylist()), "?"]
    return encoded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False).astype(np.int64), names


def measure_codes(codes: Codes, names: list[str], probability: Floats, fraud: Frauds) -> list[dict[str, Any]]:
    """Return the figures of the most frequent codes."""
    counts = np.bincount(codes, minlength=len(names))
    order = sorted((code for code in range(len(names)) if counts[code]), key=lambda code: (-counts[code], names[code]))
    slices = []
    for code in order[:MOST_SLICES]:
        chosen = codes == code
        slices.append({"name": names[code], **measure_slice(probability[chosen], fraud[chosen])})
    return slices


def measure_slice(probability: Floats, fraud: Frauds) -> dict[str, float | int | None]:
    """Return rows, frauds, how many the model expects, and how well it ranks; null if there is nothing to rank."""
    frauds = int(fraud.sum())
    curve = ranking_curve(probability, fraud) if 0 < frauds < len(fraud) else None
    return {
        "rows": len(fraud),
        "frauds": frauds,
        "expectedFrauds": float(np.sort(probability).sum()),
        "auc": curve.auc() if curve else None,
        "averagePrecision": curve.average_precision() if curve else None,
    }
