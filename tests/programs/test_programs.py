"""Drawn programs give the same as written and as rewritten."""

import os

import pytest

from tests.programs.modules import draw_program
from tests.programs.runner import render_fault, run_programs
from tests.programs.statements import render, simple, smaller
from tests.support.searching import count_drawn, first_seed, tries

PROGRAMS = tries(20_000)


def test_a_rewritten_program_is_the_program() -> None:
    count_drawn(PROGRAMS)
    summary = run_programs(range(first_seed(), first_seed() + PROGRAMS), processes=os.cpu_count() or 1)
    assert not [render_fault(*fault) for fault in summary.faults[:3]]
    assert summary.counts["rewritten"] > 0.5 * PROGRAMS


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_a_seed_always_draws_the_same_program(seed: int) -> None:
    assert render(draw_program(seed)) == render(draw_program(seed))


def test_a_program_is_made_smaller_one_statement_at_a_time() -> None:
    assert [render(body) for body in smaller(simple("a = 1", "b = 2"))] == ["b = 2\n", "a = 1\n"]
