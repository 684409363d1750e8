"""Reads a resource again and again, also while the API server is away.

Rule: one small request a second, which needs no more rights than reading the resource.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.resources import read_resource
from podreduce_operator.cli.terminal import complain

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["follow"]

INTERVAL_SECONDS = 1.0


async def follow(
    connection: "Connection", reference: Reference, interval_seconds: float = INTERVAL_SECONDS
) -> AsyncIterator[dict[str, Any]]:
    """Yield the resource as it is, every second, until it is deleted.

    Raises:
        CommandError: there is no such resource, it was deleted, or it may not be read.
    """
    manifest = await read_resource(connection, reference)
    uid, is_away = manifest["metadata"]["uid"], False
    while True:
        yield manifest
        await asyncio.sleep(interval_seconds)
        try:
            found = await connection.get(reference.kind, reference.name)
        except CommandError as error:
            if not error.is_passing:
                raise
            if not is_away:
                complain(f"{error}; it is asked again")
            is_away = True
            continue
        is_away = False
        if found is None or found["metadata"]["uid"] != uid:
            raise CommandError(f"{reference} was deleted" + ("" if found is None else ", and made again"))
        manifest = found
