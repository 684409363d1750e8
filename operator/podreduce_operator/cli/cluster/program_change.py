"""Whether the text in a job's ConfigMap is another one than its run was planned with.

The operator compares it after an edit of the job only, so these commands ask the cluster themselves.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of
from podreduce_operator.digests.pinned_digests import digest_text

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["find_program_change"]


async def find_program_change(connection: "Connection", manifest: Mapping[str, Any]) -> str:
    """Return that the text has changed, in a sentence; empty if it has not, or nothing can be said.

    Raises:
        CommandError: the ConfigMap may not be read.
    """
    reference = ((spec_of(manifest).get("program") or {}).get("sourceFrom") or {}).get("configMapKeyRef")
    digests = status_of(manifest).get("digests") or {}
    if reference is None or "program" not in digests:
        return ""
    place = f"the text in ConfigMap {reference['name']}, key {reference['key']}"
    try:
        data = await connection.read_config_map(reference["name"])
    except CommandError as error:
        raise CommandError(f"{place} was not compared: {error}") from error
    text = (data or {}).get(reference["key"])
    if text is None:
        return f"{place} is not there any more; the run has what it was planned with"
    if digest_text(text) == digests["program"]:
        return ""
    remedy = "edit the job, and" if spec_of(manifest).get("runPolicy") == "OnChange" else "set a new spec.runId, and"
    return f"{place} has changed since the run was planned: {remedy} it takes effect"
