import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.pipelines.shares import Claim, divide_slots


def claim(step: str, rank: float, wanted: int, share: int = 0, active: int = 0) -> Claim:
    return Claim(step=step, rank=rank, wanted=wanted, share=share, active=active)


@pytest.mark.parametrize(
    ("claims", "parallelism", "expected"),
    [
        ([claim("a", 1, 10)], 4, {"a": 4}),
        ([claim("a", 1, 2)], 4, {"a": 2}),
        ([claim("a", 1, 10), claim("b", 2, 3)], 4, {"a": 1, "b": 3}),
        ([claim("a", 1, 10), claim("b", 1, 10)], 4, {"a": 4}),
        ([claim("a", 1, 10, share=4, active=4), claim("b", 2, 10)], 4, {"a": 1}),
        ([claim("a", 1, 10, share=1, active=1), claim("b", 2, 10)], 4, {"a": 1, "b": 3}),
        ([claim("a", 2, 10, share=1, active=1), claim("b", 1, 10, share=3, active=3)], 4, {"a": 1, "b": 1}),
        ([claim("a", 2, 10, share=1, active=1), claim("b", 1, 10, share=1, active=2)], 4, {"a": 2, "b": 1}),
        ([claim(step, 1, 5, share=1) for step in "abc"], 2, {"a": 1, "b": 1, "c": 1}),
        ([claim("a", 1, 1, share=4, active=1)], 4, {"a": 4}),
        ([claim("a", 1, 1, share=4, active=1), claim("b", 2, 2)], 4, {"a": 2, "b": 2}),
        ([claim("a", 1, 1, share=4, active=1)], 2, {"a": 2}),
    ],
    ids=[
        "one step takes all",
        "no more than it can use",
        "the urgent step first",
        "the earlier of two equal ones",
        "what runs is lowered before another starts",
        "and then it starts",
        "a raise waits for pods to finish",
        "and uses what has become free",
        "none starves when parallelism is lowered",
        "nobody else wants the slots of a wave that ends",
        "somebody wants some of them",
        "there are fewer slots than before",
    ],
)  # fmt: skip
def test_slots_are_divided_by_urgency(claims: list[Claim], parallelism: int, expected: dict[str, int]) -> None:
    assert divide_slots(claims, parallelism) == expected


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Claim], int]:
    parallelism = draw(st.integers(1, 12))
    claims: list[Claim] = []
    held = 0
    for number in range(draw(st.integers(1, 6))):
        share = draw(st.integers(0, max(parallelism - held, 0)))
        active = draw(st.integers(0, max(parallelism - held, 0))) if share else 0
        held += max(share, active)
        claims.append(claim(f"s{number}", draw(st.integers(0, 3)), draw(st.integers(1, 12)), share, active))
    return claims, parallelism


@given(cases())
def test_no_slot_is_given_twice_and_no_running_step_starves(case: tuple[list[Claim], int]) -> None:
    claims, parallelism = case
    shares = divide_slots(claims, parallelism)
    assert sum(max(shares.get(each.step, 0), each.active) for each in claims) <= parallelism
    for each in claims:
        assert shares.get(each.step, 0) <= max(each.wanted, each.share, 1)
        assert shares.get(each.step, 0) >= (1 if each.share else 0)


def follow(before: Claim, share: int) -> Claim:
    """The claim when the step has its share, and as many pods."""
    return claim(before.step, before.rank, before.wanted, share, share)


@given(cases())
def test_shares_settle_with_all_slots_that_can_be_used(case: tuple[list[Claim], int]) -> None:
    """Once the pods have followed, nothing changes any more; a slot is free only if no step can use it."""
    claims, parallelism = case
    for _ in range(4):
        shares = divide_slots(claims, parallelism)
        claims = [follow(each, shares.get(each.step, 0)) for each in claims]
    assert divide_slots(claims, parallelism) == shares
    used, wanted = sum(shares.values()), sum(each.wanted for each in claims)
    assert used >= min(parallelism, wanted)
    ordered = sorted(claims, key=lambda each: -each.rank)
    short = [each for each in ordered if shares.get(each.step, 0) < each.wanted]
    if short:
        later = ordered[ordered.index(short[0]) + 1 :]
        assert all(shares.get(each.step, 0) <= 1 for each in later)
