"""Keeps the clients of S3 from following redirects: which server is asked says the endpoint alone.

Otherwise any server that a Secret names could send the operator on to an address that the installation does not allow,
and the answer from there would count as an object of the store. S3 works without: its redirects mean a wrong region.
"""

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from podreduce.storage.store_errors import NOWHERE, AnswerError, read_code

if TYPE_CHECKING:
    from obstore.store import ClientConfig

__all__ = ["is_direct", "raise_redirect", "stay_at", "write_headers_as_text"]

REDIRECTS = range(300, 400)


def stay_at(endpoint: str) -> "ClientConfig":
    """Return obstore's options under which a redirect from the endpoint to another host fails.

    obstore always follows redirects. Here every host but the endpoint's has a proxy that does not exist. Hosts below
    the endpoint's name count as the endpoint's, and so do its other ports. With a proxy in the environment for the
    endpoint, that proxy has all requests, and decides.
    """
    server, proxies = urlsplit(endpoint), getproxies()
    host = server.hostname or ""
    proxy = proxies.get(server.scheme) or proxies.get("all")
    if proxy is None or is_direct(host):
        return {"proxy_url": NOWHERE, "proxy_excludes": host}
    return {} if proxy.startswith("socks") else {"proxy_url": proxy}


def is_direct(host: str) -> bool:
    """Tell whether NO_PROXY excepts the host: by a name, or by a network (CIDR), which Python does not know there."""
    return bool(proxy_bypass(host)) or is_in_networks(host, getproxies().get("no", ""))


def is_in_networks(host: str, no_proxy: str) -> bool:
    """Tell whether the host is an address in one of the networks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in map(parse_network, no_proxy.split(",")) if network is not None)


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network or the single address in `text`; None if it is a name."""
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def write_headers_as_text(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
    """Turn headers of bytes into text. Called by botocore before it sends; urllib3 fails on bytes at a 303."""
    for name, value in list(request.headers.items()):
        if isinstance(value, bytes):
            request.headers[name] = value.decode("latin-1")


def raise_redirect(response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise what a redirect means. Called by botocore before it reads an answer, and looks for the region itself.

    Raises:
        AnswerError: the answer is a redirect.
    """
    status = response_dict["status_code"]
    if status in REDIRECTS:
        text = response_dict["body"].decode(errors="replace")
        raise AnswerError(f"status {status}", code=read_code(text) or "", status=status)
