import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[4]
WITHOUT_TYPER = "import sys; sys.modules['typer'] = None; from podreduce_operator.cli.app import main; main()"


def test_without_its_extra_the_command_says_what_to_install() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_TYPER], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == "podreduce: typer is missing: pip install 'podreduce[cli]' for the command line\n"


def test_starting_the_command_imports_nothing_slow() -> None:
    slow = "{'rich.progress', 'yaml', 'cel', 'jsonschema', 'obstore', 'kopf', 'kubernetes', 'aiohttp', 'asyncio'}"
    script = f"import sys; import podreduce_operator.cli.commands; print(sorted({slow} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


OPERATORS_ALONE = "import sys; sys.modules |= dict.fromkeys(('kopf', 'minio', 'prometheus_client'))"
MODULES = "connection", "job_case", "job_logs", "job_status", "published_output", "waiting"


def test_a_cluster_is_asked_without_the_extra_of_the_operator() -> None:
    imports = "; ".join(f"import podreduce_operator.cli.cluster.{name}" for name in MODULES)
    subprocess.run([sys.executable, "-c", f"{OPERATORS_ALONE}; {imports}"], check=True)


def test_what_asks_a_cluster_is_in_the_extra_of_the_command_line() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {re.split(r"[><=]", requirement)[0] for requirement in extras["cli"]}
    assert named >= {"aiohttp", "kubernetes", "pyyaml", "rich", "typer", "typing-extensions"}
    assert {each for each in extras["operator"] if each in extras["cli"]} >= {"aiohttp>=3.12", "kubernetes>=34"}
