"""The claim on an output prefix: only the run that holds it may write there.

Rule: a claim is created once. Only its own run removes it. A run that has checked that the holder is over replaces the
claim that it has read, and no other: several runs may do this at once. A run reads its claim again before it commits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    CLAIM_KEY,
    OUTPUT_MANIFEST_KEY,
    SUCCESS_KEY,
)
from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import Wire, encode
from podreduce.storage import ObjectStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.stored_records import read_record

__all__ = [
    "OWN_NAMES",
    "RESERVED_PREFIX",
    "Claim",
    "changing_claim",
    "claim_output",
    "claimed_by",
    "confirm_claim",
    "holds_claim",
    "read_claim",
    "refuse_existing",
    "release_output",
    "take_over",
]
OWN_NAMES = (CLAIM_KEY, OUTPUT_MANIFEST_KEY, SUCCESS_KEY)
RESERVED_PREFIX = "_podreduce-"

CHANGING: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
"""By output, while it is used. Only the leader's process changes the claims of an installation."""


class Claim(Wire, frozen=True, kw_only=True):
    """The content of `_podreduce-claim`: which run may write to this output."""

    installation: str
    job: JobIdentity


async def claim_output(output: ObjectStore, claim: Claim) -> Claim | None:
    """Claim the output for a run. Return None on success, or the claim of the run that holds it."""
    if await output.create_async(CLAIM_KEY, encode(claim)):
        return None
    holder = await read_claim(output)
    if holder is None:
        return await claim_output(output, claim)
    return None if holder == claim else holder


async def read_claim(output: ObjectStore) -> Claim | None:
    """Return the claim on the output, if there is one.

    Raises:
        ActionError: something else has its name.
    """
    try:
        return await read_record(output, CLAIM_KEY, Claim)
    except ObjectNotFoundError:
        return None


async def holds_claim(output: ObjectStore, claim: Claim) -> bool:
    """Tell whether the claim on the output is this run's. What cannot be read is somebody else's.

    The run may have got it from the installation that had the job before.
    """
    try:
        holder = await read_claim(output)
    except ActionError:
        return False
    return holder is not None and holder.job == claim.job


async def take_over(output: ObjectStore, claim: Claim, may_take: Callable[[Claim], Awaitable[bool]]) -> None:
    """Claim the output, also from a holder that `may_take` lets go.

    Raises:
        ActionError: another run holds it.
    """
    while (holder := await claim_output(output, claim)) is not None:
        if not await may_take(holder):
            raise claimed_by(output, holder)
        if await replace_claim(output, holder, claim):
            return


async def release_output(output: ObjectStore, claim: Claim) -> None:
    """Remove the claim if it is this run's."""
    async with changing_claim(output):
        if await holds_claim(output, claim):
            await output.delete_async(CLAIM_KEY)


async def replace_claim(output: ObjectStore, holder: Claim, claim: Claim) -> bool:
    """Take over the claim of a run that is over. Return False if the output is no longer claimed by that run."""
    async with changing_claim(output):
        try:
            etag = (await output.head_async(CLAIM_KEY)).etag
            if await read_claim(output) != holder or etag is None:
                return False
            return await output.replace_async(CLAIM_KEY, encode(claim), etag=etag)
        except ObjectNotFoundError:
            return False


def changing_claim(output: ObjectStore) -> asyncio.Lock:
    """Return the lock under which this process replaces or removes the claim on an output.

    No store that podreduce supports deletes only the version that was read. Without the lock, a run that ended could
    delete the claim of the run that has just taken over.
    """
    lock = CHANGING.get(output.uri)
    if lock is None:
        lock = CHANGING[output.uri] = asyncio.Lock()
    return lock


async def confirm_claim(output: ObjectStore, claim: Claim) -> None:
    """Make sure that the run still holds the output. A claim that somebody has deleted is made again.

    Raises:
        ActionError: another run holds it now.
    """
    holder = await claim_output(output, claim)
    if holder is not None:
        raise claimed_by(output, holder)


def claimed_by(output: ObjectStore, holder: Claim) -> ActionError:
    """Return the error of a run whose output is another's."""
    return ActionError(
        "OutputClaimed",
        f"{output.uri} is being written by {holder.job.namespace}/{holder.job.name} "
        f"(run {holder.job.run_id}): wait for it, delete it, or choose another spec.output.uri",
        permanent=True,
    )


async def refuse_existing(output: ObjectStore) -> None:
    """Make sure that the output prefix has only podreduce's claim and staged parts.

    Raises:
        ActionError: something else is there.
    """
    async for found in output.list_async(""):
        if not found.key.startswith(RESERVED_PREFIX):
            raise ActionError(
                "OutputExists",
                f"{output.uri} already holds {found.key}: remove it, choose another spec.output.uri, "
                "or set spec.output.ifExists: Replace",
                permanent=True,
            )
