"""How results are kept: JSON with the machine they were measured on."""

import json
from pathlib import Path
from typing import Any

from tests.bench.machine import describe_machine

__all__ = ["write_json"]


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a document with the machine's description; the file is whole, or that of before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"machine": describe_machine(), **document}, indent=2))
    partial.rename(path)
