"""Which distributions tasks themselves need: a program's wheels must leave these to the image.

Rule: reads what is installed here, and nothing else.
"""

from functools import cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["own_versions"]

OWN_DISTRIBUTION = "podreduce"


@cache
def own_versions() -> dict[str, str]:
    """Return the distributions that tasks themselves need, by canonical name, with the versions that are installed.

    A process has one version of each, so a program uses the image's.
    """
    found: dict[str, str] = {}
    waiting = [OWN_DISTRIBUTION]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        needed = map(Requirement, distribution.requires or ())
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found
