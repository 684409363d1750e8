"""docs/architecture.md: the packages as floors, and what each is for."""

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path

from docs.generator.tables import ROOT, table

PACKAGES = {"podreduce_operator": ROOT / "operator" / "podreduce_operator", "podreduce": ROOT / "runtime" / "podreduce"}
CONTRACTS = {"podreduce_operator": "operator-layers", "podreduce": "runtime-layers"}


def draw_layers() -> str:
    """Return the packages as floors: each imports only from floors below its own."""
    drawing = "\n\n".join("\n".join(draw_package(name)) for name in PACKAGES)
    return f"```text\n{drawing}\n```\n"


def draw_package(name: str) -> Iterator[str]:
    """Yield the lines of a package's floors, top first."""
    floors = read_floors(name)
    width = max(len("   ".join(floor)) for floor in floors) + 2
    yield f"{name} ({PACKAGES[name].relative_to(ROOT)})"
    yield f"┌{'─' * width}┐"
    for number, floor in enumerate(floors):
        if number:
            yield f"├{'─' * width}┤"
        yield f"│{'   '.join(floor).center(width)}│"
    yield f"└{'─' * width}┘"


def read_floors(name: str) -> list[list[str]]:
    """Return the floors that the import contract names, top first, the modules in none of the packages left out."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts[f"importlinter:contract:{CONTRACTS[name]}"]["layers"].split("\n")
    floors = [[child.strip() for child in line.split("|")] for line in lines if line.strip()]
    kept = ([child for child in floor if (PACKAGES[name] / child).is_dir()] for floor in floors)
    return [floor for floor in kept if floor]


def list_packages() -> str:
    """Return a table for each of the two: its packages, what each does, and its modules."""
    head = ("package", "what it does", "modules")
    return "\n".join(f"### {name}\n\n{table(head, *rows(name))}" for name in PACKAGES)


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the row of each package, the top floor first."""
    for floor in read_floors(name):
        for child in floor:
            for directory in [PACKAGES[name] / child, *sorted((PACKAGES[name] / child).glob("*/"))]:
                if (directory / "__init__.py").exists():
                    place = directory.relative_to(PACKAGES[name]).as_posix()
                    yield f"`{place}`", describe(directory), list_modules(directory)


def describe(directory: Path) -> str:
    """Return a package's docstring on one line."""
    docstring = ast.get_docstring(ast.parse((directory / "__init__.py").read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split()).replace("|", "\\|").replace(" Rule: ", " *Rule:* ")


def list_modules(directory: Path) -> str:
    """Return the names of a package's modules."""
    return ", ".join(path.stem for path in sorted(directory.glob("*.py")) if not path.stem.startswith("__"))
