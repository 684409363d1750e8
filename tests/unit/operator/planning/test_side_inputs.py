"""Side inputs in the plan: listed and pinned as inputs are, and not larger than every pod can fetch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.layout import PLAN_KEY
from podreduce.contract.plan import Plan, SideInput, SideObject
from podreduce.contract.wire import decode
from podreduce.storage import open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning import side_inputs as module
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.planning.side_inputs import MOST_SIDE_BYTES, MOST_SIDE_OBJECTS, name_files, refuse_large
from tests.unit.operator.planning.test_plan_run import PlanningWorld


@pytest.fixture
def world() -> PlanningWorld:
    world = PlanningWorld()
    store = open_store(world.place)
    store.put("model/config.json", b'{"a": 1}\n')
    store.put("model/weights/part.bin", b"0" * 100)
    store.put("model/_files/report.html", b"no part of it")
    store.put("centres/a.pairs", b"")
    return world


def side(world: PlanningWorld, *names: str, **options: Any) -> list[dict[str, Any]]:
    """Side inputs of these names, each of a prefix."""
    shape = {"format": "Text", "encodingErrors": "Strict", **options}
    return [{"name": name, "uris": [f"{world.place}{name}/"], **shape} for name in names]


async def read_plan(world: PlanningWorld, *side_inputs: dict[str, Any], **spec: Any) -> Plan:
    """The plan of a new run."""
    run = await world.plan(world.make_job(spec={"sideInputs": list(side_inputs), **spec}))
    plan = decode(run.work.get(PLAN_KEY), Plan)
    run.work.delete(PLAN_KEY)
    return plan


async def test_the_plan_pins_the_objects_of_side_inputs_and_reads_none_of_them_as_input(world: PlanningWorld) -> None:
    plan = await read_plan(world, *side(world, "model", "centres", format="WholeObject"))
    model, centres = plan.side_inputs
    assert [(each.path, each.bytes) for each in model.objects] == [("config.json", 9), ("weights/part.bin", 100)]
    store = open_store(world.place)
    assert [each.etag for each in model.objects] == [store.head(f"model/{each.path}").etag for each in model.objects]
    assert [each.path for each in centres.objects] == ["a.pairs"]
    assert (plan.objects, plan.bytes, plan.input_format) == (1, 8, "Text")


async def test_columns_of_json_are_settled_as_those_of_an_input(world: PlanningWorld) -> None:
    plan = await read_plan(
        world, {**side(world, "model", format="JSONLines")[0], "uris": [f"{world.place}model/*.json"]}
    )
    columns = plan.side_inputs[0].input_options.schema
    assert columns is not None
    assert [(each.name, each.type) for each in columns] == [("a", "int64")]


async def test_a_changed_side_input_is_a_changed_input(world: PlanningWorld) -> None:
    names = side(world, "model", "centres")
    plan, again = await read_plan(world, *names), await read_plan(world, *reversed(names))
    assert (plan.input_digest, plan.spec_digest) == (again.input_digest, again.spec_digest)
    without = await read_plan(world)
    assert without.input_digest != plan.input_digest
    assert without.spec_digest != plan.spec_digest
    open_store(world.place).put("centres/a.pairs", b"another")
    changed = await read_plan(world, *names)
    assert changed.input_digest != plan.input_digest
    assert changed.spec_digest == plan.spec_digest


@pytest.mark.parametrize(
    "edit", [{"name": "other"}, {"format": "CSV"}, {"encodingErrors": "Replace"}], ids=["name", "format", "errors"]
)
async def test_what_is_said_of_a_side_input_counts_for_the_spec(world: PlanningWorld, edit: dict[str, Any]) -> None:
    [spec] = side(world, "model")
    assert (await read_plan(world, spec)).spec_digest != (await read_plan(world, spec | edit)).spec_digest


async def test_a_side_input_that_names_nothing_is_told_by_its_place(world: PlanningWorld) -> None:
    with pytest.raises(ActionError, match=r"missing/: .*: check spec.sideInputs\[1\].uris") as refused:
        await read_plan(world, *side(world, "model", "missing"))
    assert refused.value.reason == "InputNotFound"


async def test_a_side_input_in_the_output_is_refused_as_an_input_is(world: PlanningWorld) -> None:
    open_store(world.place).put("out/old.txt", b"x")
    with pytest.raises(ActionError, match=r"out/old.txt: .* narrow spec.sideInputs\[0\].uris") as refused:
        await read_plan(world, *side(world, "out"))
    assert refused.value.reason == "InputInOutput"


async def test_too_large_side_inputs_fail_the_job_and_leave_the_output_free(
    world: PlanningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SIDE_BYTES", 100)
    message = (
        r"spec.sideInputs\[0\]: the side input 'model' has 109 bytes, and 100 is the limit, because every pod fetches "
        r"all of them: narrow spec.sideInputs\[0\].uris, or read it with spec.inputs"
    )
    with pytest.raises(ActionError, match=message) as refused:
        await read_plan(world, *side(world, "model"))
    assert (refused.value.reason, refused.value.permanent) == ("SideInputsTooLarge", True)
    assert list(open_store(f"{world.place}out/").list()) == []


def side_input(*sizes: int) -> SideInput:
    objects = tuple(SideObject(uri="s3://b/k", path="k", bytes=size) for size in sizes)
    return SideInput(name="before", input_format="Text", encoding_errors="Strict", objects=objects)


@pytest.mark.parametrize(
    ("before", "sizes", "words"),
    [
        ([], [MOST_SIDE_BYTES], None),
        ([], [MOST_SIDE_BYTES, 1], f"has {MOST_SIDE_BYTES + 1} bytes, and"),
        ([1], [MOST_SIDE_BYTES - 1], None),
        (
            [1],
            [MOST_SIDE_BYTES],
            f"has {MOST_SIDE_BYTES} bytes, {MOST_SIDE_BYTES + 1} together with the side inputs be",
        ),
        ([], [0] * MOST_SIDE_OBJECTS, None),
        ([0], [0] * MOST_SIDE_OBJECTS, f"has {MOST_SIDE_OBJECTS} objects, {MOST_SIDE_OBJECTS + 1} together with"),
    ],
    ids=["as large as may be", "one more", "together", "together one more", "objects", "one object more"],
)
def test_the_limits_hold_for_all_side_inputs_together(before: list[int], sizes: list[int], words: str | None) -> None:
    listing = [InputObject(uri="s3://b/k", size_bytes=size) for size in sizes]
    if words is None:
        refuse_large("sideInputs[0]", "model", listing, [side_input(*before)])
        return
    with pytest.raises(ActionError, match=f"the side input 'model' {words}"):
        refuse_large("sideInputs[0]", "model", listing, [side_input(*before)])


PARTS = st.text("ab.", min_size=1, max_size=2)
URIS = st.lists(st.lists(PARTS, min_size=2, max_size=4).map("/".join), min_size=1, max_size=6, unique=True)


@given(keys=URIS)
def test_files_have_different_places_that_keep_their_order_below_one_directory(keys: list[str]) -> None:
    uris = [f"s3://{key}" for key in keys]
    try:
        paths = name_files("sideInputs[0]", uris)
    except ActionError:
        names = {part for key in keys for part in key.split("/")}
        is_directory = any(other.startswith(f"{key}/") for key in keys for other in keys)
        assert names & {".", ".."} or is_directory
        return
    assert len({*paths}) == len(uris)
    assert len({uri.removesuffix(path) for uri, path in zip(uris, paths, strict=True)}) == 1
    assert not any({"", ".", ".."} & {*path.split("/")} for path in paths)
    assert not any(other.startswith(f"{path}/") for path in paths for other in paths)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["a", "../b"], "a part of that is no name of a file"),
        (["a//b", "c"], "a part of that is no name of a file"),
        (["a", "a/b"], "that is also a directory of other objects"),
        (["ä" * 128], "a file's name has at most 255 bytes"),
    ],
)
def test_an_object_that_can_be_no_file_is_named(keys: list[str], words: str) -> None:
    message = rf"s3://b/.*{words}: rename it, or leave it out of spec.sideInputs\[2\]"
    with pytest.raises(ActionError, match=message) as refused:
        name_files("sideInputs[2]", [f"s3://b/{key}" for key in keys])
    assert refused.value.permanent
