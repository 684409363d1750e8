"""The packages' rooms: imports point one way, and nothing lies loose."""

import ast
import configparser
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[3]
PACKAGES = {"podreduce": ROOT / "runtime" / "podreduce", "podreduce_operator": ROOT / "operator" / "podreduce_operator"}
SHARED = {"contract", "encoding", "inputs", "outputs", "storage"}
MOST_LOOSE_MODULES = 3
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40
FOLDERS = ("operator", "runtime", "examples", "docs", "tests")

MODULES = {
    ".".join([name, *path.relative_to(package).with_suffix("").parts]).removesuffix(".__init__"): path
    for name, package in PACKAGES.items()
    for path in sorted(package.rglob("*.py"))
}


def read_contracts() -> configparser.ConfigParser:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    return contracts


def child_packages(package: Path) -> set[str]:
    return {path.parent.name for path in package.glob("*/__init__.py")}


def test_imports_point_one_way() -> None:
    kept = cli.lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True)
    assert kept == cli.EXIT_STATUS_SUCCESS, "run `make lint` for the broken contract"


def test_the_operator_is_forbidden_every_package_of_the_runtime_that_is_not_shared() -> None:
    forbidden = read_contracts()["importlinter:contract:shared"]["forbidden_modules"].split()
    own = child_packages(PACKAGES["podreduce"]) - SHARED
    assert forbidden == sorted(f"podreduce.{name}" for name in own)


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = {name: set(imported_modules(path)) & MODULES.keys() for name, path in MODULES.items()}
    order = list(TopologicalSorter(imports).static_order())  # raises at a circle, with its modules
    assert set(order) == MODULES.keys()


def imported_modules(path: Path) -> Iterator[str]:
    """The modules that a module imports, where it is loaded or later, for its types as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in MODULES else node.module


@pytest.mark.parametrize("package", PACKAGES)
def test_few_modules_lie_loose(package: str) -> None:
    loose = {path.stem for path in PACKAGES[package].glob("*.py")} - {"__init__"}
    assert len(loose) <= MOST_LOOSE_MODULES, loose


@pytest.mark.parametrize("package", [name for name, path in MODULES.items() if path.stem == "__init__"])
def test_every_package_says_what_it_is_for_and_its_rule(package: str) -> None:
    what, _, rule = (ast.get_docstring(ast.parse(MODULES[package].read_text())) or "").partition("Rule: ")
    assert what.strip()
    assert rule


def test_modules_are_short() -> None:
    files = [*MODULES.values(), *(ROOT / "examples").rglob("*.py")]
    long = {path.relative_to(ROOT).as_posix() for path in files if path.read_text().count("\n") > MOST_LINES}
    assert long == set()


def test_functions_are_short() -> None:
    """From the first line of the signature to the last of the body, with the docstring."""
    long = {
        f"{path.relative_to(ROOT).as_posix()}: {node.name}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert long == set(), f"more than {MOST_LINES_OF_A_FUNCTION} lines"


def test_no_package_shadows_the_standard_librarys_operator() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
