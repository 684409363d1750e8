"""Cycles and smurfing beside brute force over a networkx graph, and with patterns that were planted."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from podreduce_apps.catalog import find_package
from podreduce_apps.risk.cycles import extend_path
from podreduce_apps.risk.periods import DAY_SECONDS
from podreduce_apps.risk.smurfing import Smurfing, find_smurfing
from podreduce_apps.risk.transfers import Limits, Transfer, read_transfer
from tests.support.podreduce_command import COMMAND

PIPELINE = find_package("risk") / "transfers.yaml"
PARAMETERS = {
    "windowDays": "10",
    "cycleShare": "0.9",
    "smurfAccounts": "5",
    "smurfAmount": "1000",
    "hubTransfers": "200",
}
LIMITS = Limits.read(PARAMETERS)
START = int(datetime(2018, 7, 1, tzinfo=UTC).timestamp())


def draw_transfers(seed: int, count: int, accounts: int) -> list[Transfer]:
    """Return transfers whose amounts and times often meet, so that there are cycles by chance."""
    random = np.random.default_rng(seed)
    pairs = random.integers(0, accounts, (count, 2))
    times = np.sort(random.integers(0, 30 * 24, count)) * 3600 + START
    amounts = random.integers(90, 110, count) * 100
    return [
        Transfer(int(time), f"t{number:04}", f"a{source}", f"a{target}", int(amount))
        for number, (time, (source, target), amount) in enumerate(zip(times, pairs, amounts, strict=True))
    ]


def planted_cycle(name: str, hops: int, *, day: int = 1) -> list[Transfer]:
    accounts = [f"{name}{hop}" for hop in range(hops)]
    return [
        Transfer(
            START + (day + hop) * DAY_SECONDS,
            f"{name}-{hop}",
            accounts[hop],
            accounts[(hop + 1) % hops],
            10_000 - hop * 200,
        )
        for hop in range(hops)
    ]


def run_rounds(transfers: list[Transfer]) -> set[tuple[str, ...]]:
    """Return the ids of each cycle that the jobs find."""
    found: set[tuple[str, ...]] = set()
    paths = [[each] for each in transfers if each.source != each.target]
    for _ in range(3):
        longer = [
            each
            for path in paths
            for each in extend_path(
                path, sorted(t for t in transfers if t.source == path[-1].target != t.target), LIMITS
            )
        ]
        found |= {tuple(t.id for t in each) for each in longer if each[-1].target == each[0].source}
        paths = [each for each in longer if each[-1].target != each[0].source]
    return found


def brute_cycles(transfers: list[Transfer]) -> Iterator[tuple[str, ...]]:
    """Yield the cycles among all simple cycles of the graph's transfers, in any rotation."""
    graph = nx.MultiDiGraph()
    for each in transfers:
        if each.source != each.target:
            graph.add_edge(each.source, each.target, key=each.id, transfer=each)
    simple = nx.DiGraph(graph)
    for nodes in nx.simple_cycles(simple, length_bound=4):
        for turn in range(len(nodes)):
            turned = [*nodes[turn:], *nodes[:turn]]
            chains: list[list[Transfer]] = [[]]
            for source, target in pairwise([*turned, turned[0]]):
                edges = [data["transfer"] for data in graph[source][target].values()]
                chains = [[*chain, edge] for chain in chains for edge in edges]
            yield from (tuple(t.id for t in chain) for chain in chains if is_cycle(chain))


def is_cycle(chain: list[Transfer]) -> bool:
    times, first = [each.time for each in chain], chain[0].amount
    in_order = all(a < b for a, b in pairwise(times)) and times[-1] <= times[0] + LIMITS.window_seconds
    return in_order and all(0.9 * first <= each.amount <= first for each in chain[1:])


@pytest.mark.parametrize("seed", range(4))
def test_cycles_are_those_of_brute_force(seed: int) -> None:
    transfers = draw_transfers(seed, 150, 12)

    found = run_rounds(transfers)

    assert found == set(brute_cycles(transfers))
    assert len(found) > 5


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_a_planted_cycle_is_found_and_one_that_takes_too_long_is_not(hops: int) -> None:
    cycle = planted_cycle("c", hops)
    late = [*cycle[:-1], Transfer(START + 12 * DAY_SECONDS, "late", cycle[-1].source, cycle[-1].target, 9_500)]
    small = [*cycle[:-1], Transfer(cycle[-1].time, "small", cycle[-1].source, cycle[-1].target, 8_900)]

    assert run_rounds(cycle) == {tuple(each.id for each in cycle)}
    assert run_rounds(late) == set()
    assert run_rounds(small) == set()


def brute_most_accounts(transfers: list[Transfer]) -> int:
    """Return the most different sources within a window that reaches the amount."""
    windows = [
        [each for each in transfers if end.time - LIMITS.window_seconds < each.time <= end.time] for end in transfers
    ]
    return max((len({t.source for t in w}) for w in windows if sum(t.amount for t in w) >= LIMITS.amount), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_smurfing_is_the_window_with_the_most_accounts(seed: int) -> None:
    random = np.random.default_rng(seed)
    transfers = sorted(
        Transfer(START + int(day) * DAY_SECONDS, f"t{number}", f"s{source}", "boss", int(amount))
        for number, (day, source, amount) in enumerate(
            zip(random.integers(0, 40, 40), random.integers(0, 12, 40), random.integers(5_000, 99_999, 40), strict=True)
        )
    )

    found = find_smurfing(transfers, LIMITS, by_source=True)

    most = brute_most_accounts(transfers)
    assert len({each.source for each in found}) == (most if most >= LIMITS.accounts else 0)
    assert not found or found[-1].time - found[0].time < LIMITS.window_seconds


def test_large_transfers_are_no_smurfing_and_a_hub_is_counted() -> None:
    job, counters = Smurfing(), Counter()

    class FakeContext:
        parameters = PARAMETERS

        def count(self, _group: str, name: str, n: int = 1) -> None:
            counters[name] += n

    job.setup(FakeContext())
    row = {"id": "1", "time": "2018-07-25T08:30:00Z", "from": "a", "to": "b", "amount": "1000.00"}
    assert list(job.map_func(0, row)) == []
    pairs = list(job.map_func(0, {**row, "amount": "999.99"}))
    assert [key for key, _ in pairs] == [("fan-out", "a"), ("fan-in", "b")]
    many = [(time, f"{identity}-{n}", *rest) for time, identity, *rest in [pairs[0][1]] for n in range(201)]
    assert list(job.reduce_func(("fan-in", "b"), iter(many))) == []
    assert counters == {"hubs": 1}


@pytest.mark.parametrize(
    ("changed", "match"),
    [({"time": "2018-07-25T08:30:00"}, "offset"), ({"amount": "x"}, "no number"), ({"amount": "-1"}, "not positive")],
)
def test_a_row_that_is_no_transfer_is_refused(changed: dict[str, str], match: str) -> None:
    row = {"id": "1", "time": "2018-07-25T08:30:00Z", "from": "a", "to": "b", "amount": "1"}

    with pytest.raises(ValueError, match=match):
        read_transfer({**row, **changed})


def write_transfers(path: Path, transfers: list[Transfer]) -> None:
    lines = [
        f"{t.id},{datetime.fromtimestamp(t.time, UTC).isoformat()},{t.source},{t.target},{t.amount / 100:.2f}"
        for t in transfers
    ]
    path.write_text("\n".join(["id,time,from,to,amount", *lines]) + "\n")


def read_hits(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = [line for path in sorted(directory.glob("part-*")) for line in path.read_text().splitlines()]
    return [(found["key"], found["value"]) for found in map(json.loads, lines)]


def test_the_pipeline_finds_what_was_planted_and_what_chance_has_made(tmp_path: Path) -> None:
    smurfs = [Transfer(START + n * DAY_SECONDS, f"s{n}", f"smurf{n}", "boss", 50_000) for n in range(6)]
    cycles = [each for hops in (2, 3, 4) for each in planted_cycle(f"c{hops}", hops)]
    transfers = [*draw_transfers(1, 60, 12), *smurfs, *cycles]
    (tmp_path / "transfers").mkdir()
    write_transfers(tmp_path / "transfers" / "t.csv", transfers)
    words = ["-p", f"input={tmp_path}/", "-p", f"output={tmp_path}/out", "-p", "smurfAmount=1000"]

    done = subprocess.run([*COMMAND, "run", str(PIPELINE), *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    found = {tuple(value["transfers"]) for _, value in read_hits(tmp_path / "out" / "cycles")}
    assert found == set(brute_cycles(transfers))
    assert {tuple(each.id for each in cycles if each.id.startswith(f"c{hops}-")) for hops in (2, 3, 4)} <= found
    fan_in = [value for kind, value in read_hits(tmp_path / "out" / "smurfing") if kind == "fan-in"]
    assert [value["transfers"] for value in fan_in if value["account"] == "boss"] == [[f"s{n}" for n in range(6)]]


class WithoutCounters:
    parameters = PARAMETERS


def test_transfers_to_oneself_and_lines_that_come_twice_do_not_make_a_pattern() -> None:
    job = Smurfing()
    job.setup(WithoutCounters())
    row = {"id": "t1", "time": "2018-07-01T00:00:00Z", "from": "a", "to": "a", "amount": "10"}
    assert list(job.map_func(0, row)) == []

    few = [Transfer(START + n, f"t{n}", f"s{n}", "boss", 15_000) for n in range(5)]
    packed = [astuple(each) for each in few]
    assert list(job.reduce_func(("fan-in", "boss"), iter(packed * 2))) == list(
        job.reduce_func(("fan-in", "boss"), iter(packed))
    )
