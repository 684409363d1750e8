"""Signatures first; the listing proper comes with the next commits."""

from collections.abc import Sequence

from podreduce_operator.planner import InputObject

__all__ = ["list_input"]


async def list_input(uris: Sequence[str], *, output_uri: str) -> tuple[InputObject, ...]:
    """List the objects that `uris` name, in the order of `uris` and then of their keys, each once.

    Raises:
        ActionError: reason `InputNotFound`: a URI names nothing.
    """
    raise NotImplementedError
