"""Cleaning: duplicates, reports, currencies, times, and card numbers, of which nothing is left."""

import hmac
from hashlib import sha256

import pyarrow as pa
import pytest

from podreduce_apps.risk import card_tokens
from podreduce_apps.risk.card_tokens import KEY_VARIABLE, card_name, card_token, find_key, token_numbers
from podreduce_apps.risk.clean import Clean
from podreduce_apps.risk.currencies import read_currencies, to_minor_units

KEY = b"0123456789abcdef"


class FakeContext:
    def __init__(self, task: str, read: str = "transactions") -> None:
        self.task, self.input, self.counters = task, read, {}
        self.parameters = {"currencies": "EUR=1 USD=0.5", "sampleKey": KEY.decode()}

    def count(self, _group: str, name: str, n: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + n


def make_transactions(**columns: list[str]) -> pa.RecordBatch:
    count = len(columns["id"])
    defaults = {
        "time": "2018-07-25T08:30:00Z",
        "card": "9999000000000006",
        "merchant": "m1",
        "amount": "12.34",
        "currency": "EUR",
        "country": "FR",
        "device": "d1",
        "channel": "online",
    }
    return pa.record_batch({name: [value] * count for name, value in defaults.items()} | columns)


def clean(*batches: tuple[str, pa.RecordBatch]) -> tuple[list[dict], dict[str, int]]:
    """Return the rows and counters of a run in one partition."""
    parts = []
    for name, batch in batches:
        job = Clean()
        job.setup(FakeContext("m-0", name))
        parts.append(job.map_batch(batch))
    context = FakeContext("r-0")
    job = Clean()
    job.setup(context)
    rows = pa.concat_tables(parts).sort_by([("id", "ascending"), ("kind", "ascending")])
    return job.reduce_batch(rows.combine_chunks().to_batches()[0]).to_pylist(), context.counters


def test_the_first_of_duplicates_counts_and_a_report_marks_its_transaction() -> None:
    reports = pa.record_batch({"id": ["b", "z"], "reported": ["2018-07-26T00:00:00Z"] * 2})

    rows, counters = clean(
        ("transactions", make_transactions(id=["b", "a", "b"], amount=["1", "2", "3"])), ("labels", reports)
    )

    assert [(row["id"], row["amount"], row["fraud"]) for row in rows] == [("a", 200, 0), ("b", 100, 1)]
    assert counters == {"duplicates": 1, "reportsWithoutTransaction": 1}


def test_a_time_says_its_offset_and_becomes_utc() -> None:
    rows, _ = clean(("transactions", make_transactions(id=["a"], time=["2018-07-25T01:30:00+02:00"])))

    assert rows[0]["time"] == 1532475000  # 2018-07-24 23:30:00 UTC
    with pytest.raises(pa.ArrowInvalid, match="zone offset"):
        clean(("transactions", make_transactions(id=["a"], time=["2018-07-25T01:30:00"])))


def test_a_card_is_a_keyed_hash_and_its_number_is_nowhere() -> None:
    rows, _ = clean(
        ("transactions", make_transactions(id=["a", "b"], card=["9999 0000-0000 0006", "9999000000000006"]))
    )

    digest = hmac.new(KEY, b"9999000000000006", sha256).hexdigest()
    assert [card_name(row["card"]) for row in rows] == [f"card-{digest[:16]}"] * 2
    assert "9999" not in str(rows)
    assert card_token(card_name(rows[0]["card"])) == rows[0]["card"]


def test_another_key_gives_other_tokens() -> None:
    cards = pa.array(["9999000000000006"])

    assert token_numbers(cards, KEY, {})[0] != token_numbers(cards, KEY[::-1], {})[0]


def test_tokens_of_earlier_batches_are_those_that_would_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_tokens, "MOST_KNOWN", 5)
    known: dict[str, int] = {}
    for first in range(0, 40, 2):
        cards = pa.array([f"4000 {number % 11:04}" for number in range(first, first + 4)])
        assert token_numbers(cards, KEY, known).tolist() == token_numbers(cards, KEY, {}).tolist()
        assert len(known) <= 5 + 4


def test_the_key_of_the_environment_comes_first_and_a_short_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key({"sampleKey": "s" * 16}) == (b"s" * 16, True)
    with pytest.raises(ValueError, match=KEY_VARIABLE):
        find_key({"sampleKey": ""})
    monkeypatch.setenv(KEY_VARIABLE, "e" * 16)
    assert find_key({"sampleKey": "s" * 16}) == (b"e" * 16, False)
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ValueError, match="at least 16"):
        find_key({})


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        pytest.param("12.34", "EUR", 1234, id="cents"),
        pytest.param("0.29", "EUR", 29, id="a float below its decimal"),
        pytest.param("-5", "EUR", -500, id="a refund"),
        pytest.param("10.00", "USD", 500, id="another currency"),
        pytest.param("1000", "JPY", 800, id="a currency without cents"),
        pytest.param("1.2345", "KWD", 370, id="a currency with three decimals"),
    ],
)
def test_amounts_become_whole_cents_of_one_currency(amount: str, currency: str, expected: int) -> None:
    currencies = read_currencies("EUR=1 USD=0.5 JPY=0.008/0 KWD=3/3")

    assert to_minor_units(pa.array([amount]), pa.array([currency]), currencies).to_pylist() == [expected]


@pytest.mark.parametrize("amount", ["", "abc", "nan", "1e40"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"no number|parse|convert"):
        to_minor_units(pa.array([amount]), pa.array(["EUR"]), read_currencies("EUR=1"))


def test_a_currency_without_a_rate_is_named() -> None:
    with pytest.raises(ValueError, match="XXX"):
        to_minor_units(pa.array(["1"]), pa.array(["XXX"]), read_currencies("EUR=1"))
    with pytest.raises(ValueError, match="currencies: 'EUR'"):
        read_currencies("EUR")


@pytest.mark.parametrize("column", ["id", "card", "merchant"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_rows_without_a_name_are_refused_not_joined_as_one(column: str, value: str | None) -> None:
    names = {"id": ["a", "b"], "card": ["9999000000000006"] * 2, "merchant": ["m1"] * 2}
    names[column] = [names[column][0], value]

    with pytest.raises(ValueError, match=f"{column} is empty"):
        clean(("transactions", make_transactions(**names)))
