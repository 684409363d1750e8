"""A step without an image of its own runs in that of the runtime: whatever its modules import is there."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from podreduce_apps.catalog import APPLICATIONS, find_package

PLAIN = frozenset({"numpy", "pyarrow"})
"""What jobs may count on in the image of the runtime, beside the standard library."""
PACKAGE = "podreduce_apps"
ROOT = find_package("")
PIPELINES = [path for name in sorted(APPLICATIONS) for path in sorted(find_package(name).glob("*.yaml"))]


def steps_of(path: Path) -> list[dict]:
    spec = yaml.safe_load(path.read_text())["spec"]
    return spec.get("pipelineTemplate", {"spec": spec})["spec"]["steps"]


def source_of(module: str) -> Path | None:
    """The file of a module of the applications, found without importing it."""
    place = ROOT.joinpath(*module.split(".")[1:])
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in files if path.is_file()), None)


def imported_names(source: Path) -> Iterator[tuple[str, ...]]:
    """Each import wherever it stands, also within functions: the modules that it may mean, the longest name first."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name,) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.module) for alias in node.names)


def reached_libraries(module: str) -> dict[str, str]:
    """The libraries that a module and all that it imports need, each with the module that imports it."""
    libraries: dict[str, str] = {}
    waiting, seen = [module], {module}
    while waiting:
        here = waiting.pop()
        source = source_of(here)
        assert source is not None, here
        for names in imported_names(source):
            root = names[-1].split(".")[0]
            if root == PACKAGE:
                found = next(name for name in names if source_of(name))
                parents = [found.rsplit(".", depth)[0] for depth in range(found.count(".") + 1)]
                waiting += [name for name in parents if name not in seen]
                seen.update(parents)
            elif root not in sys.stdlib_module_names:
                libraries.setdefault(root, here)
    return libraries


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_step_without_an_image_needs_only_what_the_runtime_has(path: Path) -> None:
    missing = [
        (step["name"], library, module)
        for step in steps_of(path)
        if "image" not in step
        for library, module in reached_libraries(step["program"]["module"]).items()
        if library not in PLAIN
    ]

    assert missing == []


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_step_has_an_image_because_it_needs_one(path: Path) -> None:
    steps = [step for step in steps_of(path) if "image" in step]

    assert [step["name"] for step in steps if set(reached_libraries(step["program"]["module"])) <= PLAIN] == []
