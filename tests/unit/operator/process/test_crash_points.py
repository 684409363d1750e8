from pathlib import Path

import pytest

from podreduce_operator.model.actions import CommitOutput, PlanRun
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.process.crash_points import FaultHook, build_fault_hook


def test_each_point_ends_the_process_once_even_across_restarts(tmp_path: Path) -> None:
    ended: list[int] = []
    for _ in range(2):
        hook = FaultHook(points=frozenset({"before:PlanRun"}), file=tmp_path / "faults", end=ended.append)
        hook("before", PlanRun())
        hook("after", PlanRun())
        hook("before", CommitOutput())
    assert ended == [137]
    assert (tmp_path / "faults").read_text() == "before:PlanRun\n"


def test_without_points_there_is_no_hook(tmp_path: Path) -> None:
    assert build_fault_hook((), tmp_path / "faults") is None


def test_points_without_a_memory_are_refused() -> None:
    with pytest.raises(OperatorError, match="PODREDUCE_OPERATOR_FAULTS_STATE"):
        build_fault_hook(("before:PlanRun",), None)
