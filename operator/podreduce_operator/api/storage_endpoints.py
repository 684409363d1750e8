"""Which endpoints a storage Secret may name, if the installation says so.

Rule: pure and strict. The operator sends its requests from its own place in the network, so an endpoint that is not
certainly an allowed one is refused: two programs may read an odd URL in two ways.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Endpoint", "is_allowed_endpoint", "parse_endpoint"]

URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Scheme, host and port of a store. As a rule, a host that begins with `*.` stands for every name below it."""

    scheme: str
    host: str
    port: int

    def covers(self, other: "Endpoint") -> bool:
        """Tell whether this rule allows the other endpoint."""
        is_below = self.host.startswith("*.") and other.host.endswith(self.host[1:])
        return (self.scheme, self.port) == (other.scheme, other.port) and (is_below or self.host == other.host)


def parse_endpoint(text: str) -> Endpoint:
    """Parse `http://host`, `https://host:port` or a rule like `https://*.example.com`.

    Raises:
        ValueError: it is anything else, such as a URL with a path or a user.
    """
    found = URL.fullmatch(text)
    if found is None:
        raise ValueError(f"expected an endpoint like https://host:port, without a path, not {text!r}")
    scheme = found["scheme"].lower()
    return Endpoint(scheme=scheme, host=found["host"].lower(), port=int(found["port"] or PORTS[scheme]))


def is_allowed_endpoint(text: str, allowed: Iterable[Endpoint]) -> bool:
    """Tell whether the endpoint of a Secret is certainly one of `allowed`."""
    try:
        endpoint = parse_endpoint(text)
    except ValueError:
        return False
    return "*" not in endpoint.host and any(rule.covers(endpoint) for rule in allowed)
