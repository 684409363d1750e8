"""Reads program texts from ConfigMaps."""

from http import HTTPStatus

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, core_path
from podreduce_operator.cluster.kubernetes.refusals import unavailable
from podreduce_operator.model.errors import ActionError

__all__ = ["read_program_text"]


async def read_program_text(api: ApiServer, namespace: str, config_map: str, key: str) -> str:
    """Return the program text in a ConfigMap.

    Raises:
        ActionError: the ConfigMap or the key does not exist.
    """
    place = f"the ConfigMap {namespace}/{config_map} (program.sourceFrom)"
    try:
        found = await api.get(core_path("configmaps", namespace, config_map))
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise unavailable(f"{place} cannot be read now", error) from error
        raise ActionError("ProgramNotFound", f"{place} does not exist", permanent=True) from error
    data = found.get("data") or {}
    if key not in data:
        known = ", ".join(sorted(data)) or "none"
        message = f"{place} has no key {key!r}; its keys: {known}"
        raise ActionError("ProgramNotFound", message, permanent=True)
    return str(data[key])
