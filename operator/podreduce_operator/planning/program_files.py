"""Asks the store for the archive and the wheels of a program, so that a missing one costs no pod.

Rule: one request for each, and nothing is read: the tasks read the files and check their digests.
"""

from collections.abc import Callable
from functools import partial

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.plan import Program, ProgramFile
from podreduce.contract.program_files import MAX_FILE_BYTES
from podreduce.contract.texts import render_count
from podreduce.contract.uris import split_object_uri
from podreduce.storage import ObjectStore
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError

__all__ = ["check_files"]

CONCURRENT_REQUESTS = 8


async def check_files(program: Program, open_at: Callable[[str], ObjectStore]) -> None:
    """Make sure that the files of the program are there, and are not too large.

    Raises:
        ActionError: `ProgramNotFound` or `ProgramInvalid`; the message names the file.
        StorageDeniedError, StorageUnavailableError: the store cannot be asked.
    """
    checks = [partial(check_file, each, open_at) for each in program.files]
    await gather_bounded(checks, limit=CONCURRENT_REQUESTS)


async def check_file(file: ProgramFile, open_at: Callable[[str], ObjectStore]) -> None:
    """Make sure that one file is there, and is not too large.

    Raises:
        ActionError: it is not.
    """
    root, key = split_object_uri(file.uri)
    try:
        found = await open_at(root).head_async(key)
    except ObjectNotFoundError:
        raise ActionError(
            "ProgramNotFound",
            f"{file.uri}: there is no such object (spec.program): upload it, or let `podreduce submit` do it",
            permanent=True,
        ) from None
    if found.size > MAX_FILE_BYTES:
        size = render_count(found.size, "byte")
        message = f"{file.uri}: it has {size}, and a file of a program may have {MAX_FILE_BYTES:,}"
        raise ActionError("ProgramInvalid", message, permanent=True)
