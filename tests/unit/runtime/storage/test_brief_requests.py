"""A directory store answers small requests in the thread that asks, and everything else in another."""

import threading
from functools import partial
from pathlib import Path

import pytest

from podreduce.storage import open_store
from podreduce.storage.directories import FEW_FILES, has_few_files, list_directory


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each listing was made in this thread."""
    here = threading.get_ident()
    seen: list[bool] = []

    def watch(*given: object, **named: object) -> object:
        seen.append(threading.get_ident() == here)
        return list_directory(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("podreduce.storage.listing.list_directory", watch)
    return seen


@pytest.mark.parametrize(
    ("made", "recursive", "is_brief"),
    [
        ((0, 0), True, True),
        ((FEW_FILES, 0), True, True),
        ((FEW_FILES + 1, 0), True, False),
        ((FEW_FILES + 1, 0), False, False),
        ((1, 1), True, False),
        ((1, 1), False, True),
    ],
)
async def test_a_listing_is_made_at_once_if_few_files_are_looked_at(
    tmp_path: Path, threads: list[bool], made: tuple[int, int], recursive: bool, is_brief: bool
) -> None:
    files, nested = made
    for number in range(files):
        (tmp_path / f"part-{number}").touch()
    for number in range(nested):
        (tmp_path / f"below-{number}").mkdir()
        (tmp_path / f"below-{number}" / "part").touch()
    found = [each.key async for each in open_store(f"file://{tmp_path}/").list_async("", recursive=recursive)]
    assert threads == [is_brief]
    assert len(found) == files + (nested if recursive else 0)
    assert open_store(f"file://{tmp_path}/").lists_briefly("", recursive=recursive) is is_brief


def test_of_what_cannot_be_looked_at_the_listing_says_why(tmp_path: Path) -> None:
    assert has_few_files(str(tmp_path / "none"), recursive=True)
    (tmp_path / "file").touch()
    assert has_few_files(str(tmp_path / "file"), recursive=True)
    (tmp_path / "itself").symlink_to("itself")
    assert has_few_files(str(tmp_path), recursive=True)
    (tmp_path / "itself").unlink()
    (tmp_path / "above").symlink_to("..")
    assert not has_few_files(str(tmp_path), recursive=True)


@pytest.mark.parametrize("is_brief", [False, True])
async def test_a_brief_request_is_made_at_once(tmp_path: Path, is_brief: bool) -> None:
    thread = await open_store(f"file://{tmp_path}/").in_thread(threading.get_ident, is_brief=is_brief)
    assert (thread == threading.get_ident()) is is_brief


async def test_other_stores_make_every_request_in_a_thread() -> None:
    store = open_store("memory://brief/")
    assert await store.in_thread(threading.get_ident, is_brief=True) != threading.get_ident()
    assert not store.lists_briefly("", recursive=False)
    assert await store.in_thread(partial(store.unreadable_files, "")) == {}
