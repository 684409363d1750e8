"""Report (thin)."""

from typing import Any

from podreduce_apps.socialnetwork.context import JobContext

__all__ = ["Report"]


class Report:
    """Thin."""

    def setup(self, context: JobContext) -> None:
        """Keep."""
        self.context = context

    def map_func(self, key: Any, value: Any) -> Any:  # noqa: ANN401
        """Yield."""
        yield key, value
