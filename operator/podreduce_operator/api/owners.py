"""Who a job was made for, by its metadata. Rule: pure."""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.plan import Owner

__all__ = ["read_controller"]


def read_controller(metadata: Mapping[str, Any]) -> Owner | None:
    """Return the controller that made a resource, such as a pipeline; None if it has none."""
    references = metadata.get("ownerReferences")
    for each in references if isinstance(references, list) else ():
        if isinstance(each, Mapping) and each.get("controller") is True:
            return Owner(kind=str(each.get("kind")), name=str(each.get("name")), uid=str(each.get("uid")))
    return None
