"""Where the boxes of drawn graphs are: none on another one, and no edge through a box."""

import random
from itertools import combinations, pairwise

import pytest

from podreduce_operator.cli.pipelines.layout import GAP, Arrow, Layout, Size, lay_out


def draw_graph(seed: int) -> tuple[dict[str, Size], list[Arrow]]:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    count = chance.choice([0, 1, 2, 5, 20, 40])
    sizes = {
        f"s{number}": Size(width=chance.choice([60, 110, 250]), height=chance.choice([30, 90]))
        for number in range(count)
    }
    names = list(sizes)
    arrows = [
        Arrow(above=above, below=below, key=chance.choice(["a", "b"]))
        for number, below in enumerate(names)
        for above in sorted({chance.choice(names[:number]) for _ in range(chance.randrange(4))} if number else set())
    ]
    return sizes, arrows


def edges_of(layout: Layout, name: str, size: Size) -> tuple[float, float, float, float]:
    """The left, right, top and bottom of a box."""
    x, y = layout.boxes[name]
    return x - size.width / 2, x + size.width / 2, y - size.height / 2, y + size.height / 2


@pytest.mark.parametrize("seed", range(40))
def test_no_box_lies_on_another_and_all_are_in_the_picture(seed: int) -> None:
    sizes, arrows = draw_graph(seed)
    layout = lay_out(sizes, arrows)
    boxes = {name: edges_of(layout, name, size) for name, size in sizes.items()}
    for left, right, top, bottom in boxes.values():
        assert -0.01 <= left < right <= layout.width + 0.01
        assert -0.01 <= top < bottom <= layout.height + 0.01
    for (left, right, top, bottom), (left2, right2, top2, bottom2) in combinations(boxes.values(), 2):
        assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top


@pytest.mark.parametrize("seed", range(40))
def test_edges_go_from_box_to_box_down_and_through_no_other(seed: int) -> None:
    sizes, arrows = draw_graph(seed)
    layout = lay_out(sizes, arrows)
    boxes = {name: edges_of(layout, name, size) for name, size in sizes.items()}
    assert set(layout.ways) == set(arrows)
    for arrow, way in layout.ways.items():
        (start, top), (end, bottom) = way[0], way[-1]
        above, below = boxes[arrow.above], boxes[arrow.below]
        assert above[0] < start < above[1]
        assert below[0] < end < below[1]
        assert (top, bottom) == (pytest.approx(above[3]), pytest.approx(below[2]))
        for (x0, y0), (x1, y1) in pairwise(way):
            assert y1 >= y0 - 0.01
            if x0 != x1:
                assert y1 - y0 == pytest.approx(GAP), "it turns only between two layers"
                continue
            for name in boxes.keys() - {arrow.above, arrow.below}:
                left, right, box_top, box_bottom = boxes[name]
                assert x0 <= left or x0 >= right or y1 <= box_top + 0.01 or y0 >= box_bottom - 0.01


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_chain_is_straight(count: int) -> None:
    sizes = {str(number): Size(width=50 + 20 * number, height=30) for number in range(count)}
    layout = lay_out(sizes, [Arrow(above=one, below=other) for one, other in pairwise(sizes)])
    assert len({round(x, 6) for x, _ in layout.boxes.values()}) == 1
    assert layout.height == 30 * count + GAP * (count - 1)


def test_the_readers_of_one_step_are_side_by_side_and_around_it() -> None:
    sizes = dict.fromkeys("abcd", Size(width=100, height=30))
    arrows = [Arrow(above="a", below=name) for name in "bc"] + [Arrow(above=name, below="d") for name in "bc"]
    boxes = lay_out(sizes, arrows).boxes
    assert boxes["b"][1] == boxes["c"][1]
    assert boxes["a"][0] == boxes["d"][0] == pytest.approx((boxes["b"][0] + boxes["c"][0]) / 2)


def crossings(layout: Layout) -> int:
    """Pairs of edges between two layers whose ends are in another order than their starts."""
    ways = [(way[0], way[-1]) for way in layout.ways.values()]
    return sum(
        (one[0][0] - two[0][0]) * (one[1][0] - two[1][0]) < 0
        for one, two in combinations(ways, 2)
        if one[0][1] == two[0][1]
    )


@pytest.mark.parametrize("seed", range(10))
def test_edges_that_need_not_cross_do_not(seed: int) -> None:
    """Each of the upper boxes has a reader of its own, listed in any order."""
    chance = random.Random(seed)  # noqa: S311 - likewise
    uppers, lowers = [f"u{number}" for number in range(8)], [f"l{number}" for number in range(8)]
    arrows = [Arrow(above=upper, below=lower) for upper, lower in zip(uppers, chance.sample(lowers, 8), strict=True)]
    assert crossings(lay_out(dict.fromkeys([*uppers, *lowers], Size(width=50, height=20)), arrows)) == 0


def test_what_waits_for_nothing_is_just_above_its_reader() -> None:
    sizes = dict.fromkeys("abxc", Size(width=50, height=20))
    chain = [Arrow(above="a", below="b"), Arrow(above="b", below="c"), Arrow(above="x", below="c")]
    boxes = lay_out(sizes, chain).boxes
    assert boxes["x"][1] == boxes["b"][1]


def test_points_at_the_edges_are_in_the_first_and_last_layer_and_attached_where_asked() -> None:
    sizes = {">": Size(width=0, height=0), "a": Size(width=80, height=20), "b": Size(width=80, height=20)}
    sizes["<"] = Size(width=0, height=0)
    arrows = [
        Arrow(above=">", below="b"),
        Arrow(above="a", below="b", leaves=30, enters=-30),
        Arrow(above="a", below="<"),
    ]
    layout = lay_out(sizes, arrows, first=[">"], last=["<"])
    assert layout.boxes[">"][1] == 0
    assert layout.boxes["<"][1] == layout.height
    way = layout.ways[arrows[1]]
    assert way[0][0] - layout.boxes["a"][0] == pytest.approx(30)
    assert way[-1][0] - layout.boxes["b"][0] == pytest.approx(-30)
