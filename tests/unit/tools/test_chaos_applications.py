"""How the applications on a cluster are compared with those here: nothing that differs may pass."""

from pathlib import Path

import pytest

from tests.chaos.applications import APPLICATIONS, Application, differences, judge, read_files, read_manifest

COMPLETE = {"conditions": [{"type": "Complete", "status": "True", "reason": "Done", "message": ""}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True", "reason": "StepFailed", "message": "clean"}]}


def test_an_object_that_is_missing_more_or_other_differs() -> None:
    assert differences({"a": b"1", "b": b"2", "c": b"3"}, {"a": b"1", "b": b"3", "d": b"4"}) == ["b", "c", "d"]
    assert differences({"a": b"1"}, {"a": b"1"}) == []


@pytest.mark.parametrize(
    ("status", "killed", "differ", "problem"),
    [
        pytest.param(COMPLETE, ["pod"], [], "", id="as it should be"),
        pytest.param(FAILED, ["pod"], [], "StepFailed: clean", id="failed"),
        pytest.param(COMPLETE, [], [], "no pod was there to be killed", id="a fault that struck nobody"),
        pytest.param(COMPLETE, ["pod"], ["x"], "other bytes than here: x", id="other results"),
    ],
)
def test_a_run_is_sound_if_it_completed_a_pod_was_killed_and_all_is_the_same(
    status: dict, killed: list[str], differ: list[str], problem: str
) -> None:
    assert judge(status, killed, differ) == problem


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda each: each.name)
def test_the_number_of_tasks_is_that_of_the_run_here_and_the_victim_is_a_step(application: Application) -> None:
    manifest = read_manifest(application, "s3://in/", "s3://out", "localhost/apps:test")
    steps = {step["name"]: step for step in manifest["spec"]["steps"]}

    assert application.victim in steps
    assert all({"shards"} <= step["map"].keys() and {"partitions"} <= step["reduce"].keys() for step in steps.values())
    assert {step["image"] for step in steps.values() if "image" in step} == {"localhost/apps:test"}
    assert application.parameters.keys() <= manifest["spec"]["parameters"].keys()


def test_objects_that_name_the_run_are_not_compared(tmp_path: Path) -> None:
    for name in ("_SUCCESS", "_MANIFEST.json", "part-r-00000.parquet", "_files/report.html"):
        path = tmp_path / "step" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())

    assert sorted(read_files(tmp_path)) == ["step/_files/report.html", "step/part-r-00000.parquet"]
