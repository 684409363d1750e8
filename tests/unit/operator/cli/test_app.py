import subprocess
import sys

WITHOUT_TYPER = "import sys; sys.modules['typer'] = None; from podreduce_operator.cli.app import main; main()"


def test_without_its_extra_the_command_says_what_to_install() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_TYPER], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == "podreduce: typer is missing: pip install 'podreduce[cli]' for the command line\n"


def test_starting_the_command_imports_nothing_slow() -> None:
    slow = "{'rich.progress', 'yaml', 'celpy', 'jsonschema', 'obstore', 'kopf', 'kubernetes'}"
    script = f"import sys; import podreduce_operator.cli.commands; print(sorted({slow} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
