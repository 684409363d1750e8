"""How a run of this machine is named on the command line. Rule: pure; every command imports it."""

__all__ = ["LOCAL", "is_local"]

LOCAL = "local"
"""As the kinds of resources have short names: `local/wordcount`."""


def is_local(name: str) -> bool:
    """Tell whether a name is that of a run of this machine."""
    return name.startswith(f"{LOCAL}/")
