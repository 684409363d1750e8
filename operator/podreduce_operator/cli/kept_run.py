"""What a failed local run keeps of its records, so that `podreduce replay` can run its tasks again.

Rule: its plan, shards, shuffle manifest and failures, and where its program's modules are; no intermediate data.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podreduce.contract.layout import COMMITS_PREFIX, FAILURES_PREFIX, PLAN_KEY, SHUFFLE_PREFIX
from podreduce.storage import ObjectStore, open_store

__all__ = ["copy_out", "is_kept_run", "read_setting", "write_setting"]

PREFIXES = (f"{PLAN_KEY.partition('/')[0]}/", COMMITS_PREFIX, FAILURES_PREFIX, SHUFFLE_PREFIX)
SETTING_NAME = "local-run.json"


async def copy_out(status: Mapping[str, Any], run_store: ObjectStore, directory: Path) -> Mapping[str, Any]:
    """Copy the records of a run that failed into `directory`. Return the status as it is.

    Raises:
        PodreduceError: they cannot be read.
    """
    if "postMortem" in status:
        await asyncio.to_thread(copy_records, run_store, directory)
    return status


def copy_records(run_store: ObjectStore, directory: Path) -> None:
    """Copy a run's records into a directory."""
    target = open_store(f"{directory.absolute().as_uri()}/")
    for prefix in PREFIXES:
        for found in run_store.list(prefix):
            target.put(found.key, run_store.get(found.key))


def write_setting(directory: Path, environ: Mapping[str, str]) -> None:
    """Note the variables and the directory with which the tasks of a kept run were started."""
    if directory.is_dir():
        setting = {"environ": dict(environ), "directory": str(Path.cwd())}
        (directory / SETTING_NAME).write_text(json.dumps(setting), encoding="utf-8")


def read_setting(directory: Path) -> tuple[dict[str, str], Path | None]:
    """Return the variables and the directory of a kept run's tasks. A directory that is gone counts as none."""
    try:
        setting = json.loads((directory / SETTING_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    place = Path(setting["directory"])
    return setting["environ"], place if place.is_dir() else None


def is_kept_run(directory: Path) -> bool:
    """Tell whether a directory has a run's records."""
    return (directory / PLAN_KEY).is_file()
