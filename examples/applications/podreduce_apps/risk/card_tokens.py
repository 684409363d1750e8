"""Card numbers as tokens: a keyed hash, so that nobody without the key can find the number by trying all of them.

A plain hash would not do: there are only some 10^15 card numbers. The key comes from an environment variable, which a
pod template takes from a Secret, so that it is in no plan, status or log.
"""

import hmac
import os
from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.counted_nouns import count_of

__all__ = ["KEY_VARIABLE", "card_name", "card_token", "find_key", "token_numbers"]

KEY_VARIABLE = "RISK_CARD_KEY"
SHORTEST_KEY = 16
MOST_KNOWN = 200_000
"""So many tokens, some 30 MB, are kept for the next batch."""


def find_key(parameters: Mapping[str, str]) -> tuple[bytes, bool]:
    """Return the key, and whether it is the sample's, which everybody knows.

    Raises:
        ValueError: there is no key, or it is too short.
    """
    key, sample_key = os.environ.get(KEY_VARIABLE, ""), parameters.get("sampleKey", "")
    if not key and not sample_key:
        raise ValueError(f"no key for card numbers: set the environment variable {KEY_VARIABLE} from a Secret")
    chosen = (key or sample_key).encode()
    if len(chosen) < SHORTEST_KEY:
        raise ValueError(
            f"the key for card numbers has {count_of(len(chosen), 'byte')}: use at least {SHORTEST_KEY} random ones"
        )
    return chosen, not key


def token_numbers(cards: pa.Array, key: bytes, known: dict[str, int]) -> npt.NDArray[np.int64]:
    """Return the token of each card number, as 64 bits.

    Args:
        cards: a batch, which has few of them.
        key: of `find_key`.
        known: tokens of earlier batches, which are not made again; it takes those of this one. It stays small.
    """
    coded = cards.dictionary_encode()
    cards_once = coded.dictionary.to_pylist()
    if len(known) > MOST_KNOWN:
        known.clear()
    for card in cards_once:
        if card not in known:
            known[card] = int.from_bytes(card_digest(card, key), signed=True)
    tokens = np.array([known[card] for card in cards_once], np.int64)
    return np.asarray(tokens[coded.indices.to_numpy(zero_copy_only=False)])


def card_digest(card: str, key: bytes) -> bytes:
    """Return the first 8 bytes of HMAC-SHA256; spaces and dashes between the digits do not count."""
    digits = card.replace(" ", "").replace("-", "")
    return hmac.digest(key, digits.encode(), sha256)[:8]


def card_name(token: int) -> str:
    """Return a token as people see it."""
    return f"card-{token & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def card_token(name: str) -> int:
    """Return the token of `card_name`."""
    return int.from_bytes(bytes.fromhex(name.removeprefix("card-")), signed=True)
