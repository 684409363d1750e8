"""`podreduce run` of a pipeline as a person starts it, in a directory of the test."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.podreduce_command import COMMAND

__all__ = ["EXAMPLES", "SECONDS", "environ", "run"]

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 240


def environ(here: Path) -> dict[str, str]:
    """Temporary files in `tmp`, the history in `state`."""
    return {**os.environ, "TMPDIR": str(here / "tmp"), "XDG_STATE_HOME": str(here / "state")}


def run(here: Path, manifest: dict[str, Any], *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run a pipeline with --json, and return what the command did and the final status."""
    (here / "pipeline.json").write_text(json.dumps(manifest))
    command = [*COMMAND, "run", "pipeline.json", "--json", *options]
    done = subprocess.run(
        command, cwd=here, env=environ(here), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done, json.loads(done.stdout) if done.stdout.startswith("{") else {}
