"""The tutorial as tests run it: its blocks in their order, and the lines that it says they show."""

import re

from tests.cluster.paths import CHECKOUT

__all__ = ["read_script", "read_shown"]


def find_blocks(mark: str, language: str) -> list[str]:
    """Return the blocks with this mark, in order."""
    page = (CHECKOUT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    return re.findall(rf"<!-- {mark}(?:: \w+)? -->\n```{language}\n(.*?)```", page, re.DOTALL)


def read_script(mark: str) -> str:
    """Return the commands of one part: `tutorial`, or `tutorial-cluster`."""
    return "".join(find_blocks(mark, "bash"))


def read_shown(mark: str) -> list[str]:
    """Return the lines that the commands of one part show."""
    return [line for text in find_blocks(f"{mark}-shows", "text") for line in text.splitlines()]
