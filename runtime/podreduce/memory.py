"""How much memory a task may use, and how much it does."""

__all__ = ["buffer_budget_bytes", "memory_limit_bytes", "resident_bytes"]


def memory_limit_bytes(setting: int | None) -> int:
    """Return the limit: cgroup v2, else v1, else `setting`, else a share of the machine."""
    raise NotImplementedError


def resident_bytes() -> int:
    """Return what this process has in memory now."""
    raise NotImplementedError


def buffer_budget_bytes(limit: int) -> int:
    """Return what the buffers may take: 60 % of `limit` less what is in use now, with a floor."""
    raise NotImplementedError
