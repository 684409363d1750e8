from itertools import combinations_with_replacement, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.balance.even_cuts import choose_cuts, imbalance_bytes

Row = list[tuple[int, bool]]
"""Sizes, and whether each is an atom."""

rows = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=6)


def lay_out(row: Row) -> tuple[int, list[tuple[int, int]]]:
    total, atoms = 0, []
    for size, is_atom in row:
        if is_atom:
            atoms.append((total, total + size))
        total += size
    return total, atoms


def least_imbalance(total: int, atoms: list[tuple[int, int]], shards: int) -> float:
    allowed = [cut for cut in range(total + 1) if not any(start < cut < end for start, end in atoms)]
    ways = combinations_with_replacement(allowed, shards - 1)
    return min(imbalance_bytes([0, *cuts, total]) for cuts in ways)


@given(rows, st.integers(1, 5))
def test_cuts_are_optimal(row: Row, shards: int) -> None:
    total, atoms = lay_out(row)
    cuts = choose_cuts(total, atoms, shards)
    assert imbalance_bytes(cuts) == pytest.approx(least_imbalance(total, atoms, shards))


def test_all_short_rows_are_cut_as_well_as_can_be() -> None:
    """A small change of the search shows in few rows: these are all there are of three parts and up to nine bytes."""
    for sizes in product(range(4), repeat=3):
        for are_atoms in product((False, True), repeat=3):
            total, atoms = lay_out(list(zip(sizes, are_atoms, strict=True)))
            inside = {cut for start, end in atoms for cut in range(start + 1, end)}
            for shards in range(1, 5):
                cuts = choose_cuts(total, atoms, shards)
                assert imbalance_bytes(cuts) == pytest.approx(least_imbalance(total, atoms, shards)), (atoms, shards)
                assert inside.isdisjoint(cuts)
                assert len(set(cuts)) == min(shards + 1, total + 1 - len(inside)), (atoms, shards)


@given(st.integers(0, 100), st.lists(st.integers(0, 100), max_size=3), st.integers(1, 9))
def test_an_atom_without_bytes_is_none(total: int, places: list[int], shards: int) -> None:
    atoms = [(place, place) for place in sorted(places) if place <= total]
    assert choose_cuts(total, atoms, shards) == choose_cuts(total, [], shards)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=60), st.integers(1, 90))
def test_cuts_ascend_over_the_whole_row_and_spare_the_atoms(row: Row, shards: int) -> None:
    total, atoms = lay_out(row)
    cuts = choose_cuts(total, atoms, shards)
    assert (cuts[0], cuts[-1], len(cuts)) == (0, total, shards + 1)
    assert cuts == sorted(cuts)
    assert not [cut for cut in cuts for start, end in atoms if start < cut < end]


@given(st.integers(0, 10**15), st.integers(1, 200))
def test_without_atoms_shards_differ_by_a_byte_at_most(total: int, shards: int) -> None:
    cuts = choose_cuts(total, [], shards)
    sizes = {end - start for start, end in pairwise(cuts)}
    assert max(sizes) - min(sizes) <= 1
    assert imbalance_bytes(cuts) < shards


@given(rows, st.integers(1, 5), st.integers(0, 8))
def test_a_search_cut_short_costs_no_more_than_a_byte_a_shard_and_the_atoms_hit(
    row: Row, shards: int, max_positions: int
) -> None:
    total, atoms = lay_out(row)
    cuts = choose_cuts(total, atoms, shards, max_positions=max_positions)
    targets = [number * total // shards for number in range(shards + 1)]
    hit = sum(end - start for start, end in atoms for target in targets if start < target < end)
    assert imbalance_bytes(cuts) <= least_imbalance(total, atoms, shards) + hit + shards
    assert not [cut for cut in cuts for start, end in atoms if start < cut < end]


@given(rows, st.integers(1, 12))
def test_no_shard_is_empty_while_another_could_be_cut(row: Row, shards: int) -> None:
    total, atoms = lay_out(row)
    cuts = choose_cuts(total, atoms, shards)
    unused = [cut for cut in range(total + 1) if cut not in cuts and not any(start < cut < end for start, end in atoms)]
    assert len(set(cuts)) == len(cuts) or not unused


def test_sizes_of_a_fraction_of_a_byte_do_not_hinder_a_long_search() -> None:
    total, atoms = lay_out([(1_000_003, False), (2_000, True), (999_999, False)])
    cuts = choose_cuts(total, atoms, 3_000)
    assert imbalance_bytes(cuts) < 2 * 2_000 + 3_000


@pytest.mark.parametrize(
    ("total", "atoms", "shards", "expected"),
    [
        pytest.param(0, [], 1, [0, 0], id="nothing"),
        pytest.param(0, [], 3, [0, 0, 0, 0], id="nothing-in-three"),
        pytest.param(1, [], 2, [0, 0, 1], id="more-shards-than-bytes"),
        pytest.param(10, [], 3, [0, 3, 6, 10], id="bytes"),
        pytest.param(10, [(0, 10)], 1, [0, 10], id="one-atom"),
        pytest.param(10, [(2, 10)], 2, [0, 2, 10], id="an-atom-too-heavy"),
        pytest.param(30, [(5, 25)], 3, [0, 5, 25, 30], id="an-atom-between-text"),
    ],
)
def test_cuts_by_example(total: int, atoms: list[tuple[int, int]], shards: int, expected: list[int]) -> None:
    assert choose_cuts(total, atoms, shards) == expected


@pytest.mark.parametrize(
    ("total", "atoms", "shards", "expected"),
    [
        pytest.param(100, [(40, 90)], 2, [0, 40, 100], id="below"),
        pytest.param(100, [(10, 60)], 2, [0, 60, 100], id="above"),
        pytest.param(100, [(30, 70)], 2, [0, 30, 100], id="as-near-as-the-other"),
        pytest.param(100, [(0, 50)], 2, [0, 50, 100], id="at-its-end"),
    ],
)
def test_where_no_search_is_possible_a_cut_goes_to_the_nearer_edge_of_its_atom(
    total: int, atoms: list[tuple[int, int]], shards: int, expected: list[int]
) -> None:
    assert choose_cuts(total, atoms, shards, max_positions=0) == expected
