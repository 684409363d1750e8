"""What people call the items: names and titles by id."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.recommendation.core import known_items

__all__ = ["ItemNames"]


class ItemNames:
    """The items' names, as in the events, and their titles. Where there is no title, the name stands for it."""

    def __init__(self, items: pa.Table, titles: pa.Table) -> None:
        """`items`: as `items.Items` writes them; `titles`: columns item and title."""
        self.names = known_items(items)
        if titles.num_rows:
            names, texts = (titles[column].cast(pa.string()).combine_chunks() for column in ("item", "title"))
            found = texts.take(pc.index_in(self.names, value_set=names))
            self.titles = pc.if_else(pc.equal(pc.fill_null(found, ""), ""), self.names, found)
        else:
            self.titles = self.names

    def of(self, ids: Any) -> tuple[Any, Any]:  # noqa: ANN401 - pyarrow has no types
        """Return the names and the titles of ids; null for null."""
        return self.names.take(ids), self.titles.take(ids)
