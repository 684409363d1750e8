"""The applications that `podreduce app` knows, by name."""

from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import cast

__all__ = ["APPLICATIONS", "find_package", "find_pipeline", "find_sample_writer"]

APPLICATIONS: dict[str, str] = {
    "risk": "which card transactions are fraud, why, and which cards to call about today",
    "socialnetwork": "components, ranks, communities and influence in a graph of who knows whom",
    "recommendation": "what to offer each user of a shop, from what all users chose; with a report of how good it is",
}
"""What each application does, in a line."""


def find_package(name: str) -> Path:
    """Return the directory with an application's pipeline, modules and README."""
    return Path(str(files(__package__))) / name


def find_pipeline(name: str) -> Path:
    """Return an application's pipeline."""
    return find_package(name) / "pipeline.yaml"


def find_sample_writer(name: str) -> Callable[[Path], None]:
    """Return what writes an application's sample: always the same files, in a directory that it may create."""
    module = import_module(f"{__package__}.{name}.sample")
    return cast("Callable[[Path], None]", module.write_sample)
