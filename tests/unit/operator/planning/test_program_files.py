"""The files of a program, as the operator sees them before any pod starts."""

from uuid import uuid4

import pytest

from podreduce.contract.plan import Program, ProgramFile
from podreduce.storage import open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning import program_files
from podreduce_operator.planning.program_files import check_files

DIGEST = f"sha256:{'0' * 64}"


def make_program(*present: str) -> Program:
    store = open_store(f"memory://{uuid4()}/")
    for name in present:
        store.put(name, b"0123456789")
    wheel = ProgramFile(uri=store.uri_of("b.whl"), digest=DIGEST)
    return Program(module="jobs", archive=ProgramFile(uri=store.uri_of("a.zip"), digest=DIGEST), requirements=(wheel,))


async def test_files_that_are_there_are_taken_unread() -> None:
    await check_files(make_program("a.zip", "b.whl"), open_store)


@pytest.mark.parametrize(("present", "missing"), [("a.zip", "b.whl"), ("b.whl", "a.zip")])
async def test_a_missing_file_is_named_before_any_pod_starts(present: str, missing: str) -> None:
    with pytest.raises(ActionError, match=f"{missing}: there is no such object") as refusal:
        await check_files(make_program(present), open_store)
    assert refusal.value.reason == "ProgramNotFound"


async def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_files, "MAX_FILE_BYTES", 9)
    with pytest.raises(ActionError, match="it has 10 bytes, and a file of a program may have 9") as refusal:
        await check_files(make_program("a.zip", "b.whl"), open_store)
    assert refusal.value.reason == "ProgramInvalid"
