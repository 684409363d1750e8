"""The README's quick start as tests run it: its blocks, a place to run them in, the counts that it ends with."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.paths import CHECKOUT

BLOCK = re.compile(r"<!-- quickstart: (\w+) -->\n```bash\n(.*?)```", re.DOTALL)
FILES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = ("charts", "examples", "requirements", "crds", "runtime", "operator")


def read_blocks() -> dict[str, str]:
    """Return the README's blocks by name, in order."""
    return dict(BLOCK.findall((CHECKOUT / "README.md").read_text(encoding="utf-8")))


def as_script(before_removal: str = "") -> str:
    """Return all blocks as one script, which says where it is. More commands may run before everything is removed."""
    blocks = read_blocks()
    blocks["remove"] = before_removal + blocks["remove"]
    return "\n".join(f'echo "### {name}, after $SECONDS s"\n{text}' for name, text in blocks.items())


def make_place(directory: Path) -> Path:
    """Make a directory that holds what the quick start needs of the checkout, and takes what it makes."""
    for name in FILES:
        shutil.copy(CHECKOUT / name, directory / name)
    for name in FOLDERS:
        shutil.copytree(CHECKOUT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / ".venv").symlink_to(sys.prefix)
    (directory / "bin").mkdir()
    return directory


def run_bash(
    script: str, *, place: Path, environment: Mapping[str, str], beginning: Sequence[str] = (), timeout: float = 850
) -> subprocess.CompletedProcess[str]:
    """Run a script in one bash that stops at the first failure; what it says, errors included, is the output."""
    return subprocess.run(
        [*beginning, "bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def read_counts(directory: Path) -> dict[str, int]:
    """Return the output's words with their counts."""
    lines = [line for part in directory.glob("part-*") for line in part.read_text(encoding="utf-8").split("\n")[:-1]]
    pairs = [line.split("\t") for line in lines]
    return {word.replace("\\\\", "\\"): int(count) for word, count in pairs}


def count_words() -> dict[str, int]:
    """Count the words of the example's books."""
    words: Counter[str] = Counter()
    for book in (CHECKOUT / "examples" / "wordcount" / "books").iterdir():
        words.update(book.read_text(encoding="utf-8").split())
    return dict(words)


def assert_it_worked(ran: subprocess.CompletedProcess[str], counts: Path) -> None:
    """See that the script ended well, showed what the README promises, and counted rightly."""
    assert ran.returncode == 0, ran.stdout
    assert "condition met" in ran.stdout, ran.stdout
    assert re.search(r"wordcount +Complete +8/8 +3/3", ran.stdout), ran.stdout
    assert read_counts(counts) == count_words(), ran.stdout
