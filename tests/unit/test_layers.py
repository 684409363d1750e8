import configparser
from pathlib import Path

from importlinter import cli

ROOT = Path(__file__).parents[2]
SHARED = {"contract", "counters", "errors", "formats", "inputs", "partition", "storage"}


def read_contracts() -> configparser.ConfigParser:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    return contracts


def child_modules(package: Path) -> set[str]:
    """The names of a package's modules and packages."""
    return {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def test_imports_point_one_way() -> None:
    kept = cli.lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True)
    assert kept == cli.EXIT_STATUS_SUCCESS, "run `make lint` for the broken contract"


def test_the_operator_is_forbidden_every_module_of_the_runtime_that_is_not_shared() -> None:
    forbidden = read_contracts()["importlinter:contract:shared"]["forbidden_modules"].split()
    own = child_modules(ROOT / "runtime" / "podreduce") - SHARED - {"__init__"}
    assert forbidden == sorted(f"podreduce.{name}" for name in own)


def test_no_package_shadows_the_standard_librarys_operator() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
