from pathlib import Path
from typing import Any

from podreduce.storage import open_store
from podreduce_operator.cli.post_mortem import copy_out

RUN_STORE = open_store("memory://cli-post-mortem/")


async def test_the_story_outlives_its_store_and_the_status_names_the_copies(tmp_path: Path) -> None:
    RUN_STORE.put("post-mortem.json", b"story")
    RUN_STORE.put("attempts.parquet", b"table")
    directory = tmp_path / "post-mortem"
    status = {"phase": "Failed", "postMortem": {"uri": RUN_STORE.uri_of("post-mortem.json")}}
    assert await copy_out(status, RUN_STORE, directory) == {
        "phase": "Failed",
        "postMortem": {
            "uri": f"file://{directory}/post-mortem.json",
            "attemptsUri": f"file://{directory}/attempts.parquet",
        },
    }
    assert (directory / "post-mortem.json").read_bytes() == b"story"
    assert (directory / "attempts.parquet").read_bytes() == b"table"


async def test_without_a_story_there_is_nothing_to_copy_out(tmp_path: Path) -> None:
    status: dict[str, Any] = {"phase": "Complete"}
    directory = tmp_path / "post-mortem"
    assert await copy_out(status, RUN_STORE, directory) == status
    assert not directory.exists()
