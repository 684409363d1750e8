"""The claim on an output prefix: only the run that holds it may write there.

Rule: a claim is created once. Only its own run removes it, or a run that has checked that the holder is over.
"""

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
    "claim_output",
    "holds_claim",
    "read_claim",
    "refuse_existing",
    "release_output",
    "remove_claim",
]
OWN_NAMES = (CLAIM_KEY, OUTPUT_MANIFEST_KEY, SUCCESS_KEY)
RESERVED_PREFIX = "_podreduce-"


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
    """Tell whether the claim on the output is this one. What cannot be read is somebody else's."""
    try:
        return await read_claim(output) == claim
    except ActionError:
        return False


async def release_output(output: ObjectStore, claim: Claim) -> None:
    """Remove the claim if it is this run's."""
    if await holds_claim(output, claim):
        await output.delete_async(CLAIM_KEY)


async def remove_claim(output: ObjectStore) -> None:
    """Remove the claim of a run that is over."""
    await output.delete_async(CLAIM_KEY)


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
