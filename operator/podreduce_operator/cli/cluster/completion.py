"""Completes the names of resources on the command line.

Rule: quick and quiet. A cluster that does not answer within some seconds completes nothing. What asks the cluster is
imported when it is asked.
"""

from typing import Any

import typer

from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.local_runs.names import LOCAL, is_local

__all__ = ["complete_jobs", "complete_kinds", "complete_references"]

SECONDS = 3.0


def complete_references(context: typer.Context, incomplete: str) -> list[str]:
    """Return the jobs whose names begin so, or after `mrs/` the schedules."""
    from podreduce_operator.cli.cluster.kinds import KINDS  # noqa: PLC0415 - see above

    if is_local(incomplete):
        return complete_local(incomplete)
    word, separator, _ = incomplete.rpartition("/")
    prefixes = [f"{kind.short}/" for kind in KINDS if f"{kind.short}/".startswith(incomplete) and incomplete]
    return [*complete(context, word if separator else "", incomplete), *prefixes]


def complete_jobs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the jobs whose names begin so, or after `local/` the runs of this machine."""
    return complete_local(incomplete) if is_local(incomplete) else complete(context, "", incomplete)


def complete_kinds(incomplete: str) -> list[str]:
    """Return the kinds whose names begin so."""
    from podreduce_operator.cli.cluster.kinds import KINDS  # noqa: PLC0415 - see above

    words = [*(word for kind in KINDS for word in kind.words[:2]), LOCAL]
    return [word for word in words if word.startswith(incomplete)]


def complete_local(incomplete: str) -> list[str]:
    """Return the runs of this machine whose names begin so; none if their history cannot be read."""
    import os  # noqa: PLC0415 - see above
    from contextlib import suppress  # noqa: PLC0415

    from podreduce_operator.cli.local_runs.history import open_history  # noqa: PLC0415

    names: list[str] = []
    with suppress(OSError):
        names = [f"{LOCAL}/{run.id}" for run in open_history(os.environ).read()]
    return [name for name in names if name.startswith(incomplete)]


def complete(context: typer.Context, word: str, incomplete: str) -> list[str]:
    """Return the names of the resources of a kind."""
    import asyncio  # noqa: PLC0415 - see above
    from contextlib import suppress  # noqa: PLC0415

    from podreduce_operator.cli.cluster.errors import CommandError  # noqa: PLC0415

    names: list[str] = []
    with suppress(CommandError, TimeoutError, ModuleNotFoundError):
        names = asyncio.run(ask_for_names(place_of(context.params), word))
    shown = [f"{word}/{name}" if word else name for name in names]
    return [name for name in shown if name.startswith(incomplete)]


def place_of(options: dict[str, Any]) -> Place:
    """Return where the command line asks, as far as it is written."""
    return Place(
        kubeconfig=options.get("kubeconfig"), context=options.get("context_name"), namespace=options.get("namespace")
    )


async def ask_for_names(place: Place, word: str) -> list[str]:
    """Ask the cluster for the names of all resources of a kind."""
    import asyncio  # noqa: PLC0415 - see above

    from podreduce_operator.cli.cluster.connection import open_connection  # noqa: PLC0415
    from podreduce_operator.cli.cluster.kinds import JOB, find_kind  # noqa: PLC0415

    async with asyncio.timeout(SECONDS), open_connection(place) as connection:
        found = await connection.list_all(find_kind(word) if word else JOB)
        return [str(manifest["metadata"]["name"]) for manifest in found]
