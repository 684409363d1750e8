"""The `pip` of the runtime image, in an environment like the image's: without a pip of its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "pip.sh"
PLACE = "/opt/podreduce"
WHEEL = {
    "lent.py": "word = 'lent'\n",
    "lent-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: lent\nVersion: 1\n",
    "lent-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
WHEEL["lent-1.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*WHEEL, "lent-1.dist-info/RECORD"])


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The environment, with the script that the Dockerfile puts there."""
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count(PLACE) == 1
    pip = place / "bin" / "pip"
    pip.write_text(text.replace(PLACE, str(place)), encoding="utf-8")
    pip.chmod(0o755)
    with zipfile.ZipFile(tmp_path / "lent-1-py3-none-any.whl", "w") as wheel:
        for name, content in WHEEL.items():
            wheel.writestr(name, content)
    return place


def install(environment: Path, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """Do what `RUN pip install` does."""
    path = f"{environment}/bin:{os.environ['PATH']}"
    wheel = environment.parent / "lent-1-py3-none-any.whl"
    command = [*wrapper, str(environment / "bin" / "pip"), "install", "--no-index", "--no-cache-dir", str(wheel)]
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lends", [True, False], ids=["of the base image", "that Python brings along"])
def test_pip_installs_beside_podreduce_and_not_beside_the_systems_python(environment: Path, *, lends: bool) -> None:
    if not lends:
        pip = environment / "bin" / "pip"
        without = pip.read_text(encoding="utf-8").replace('"$system" -m pip --version', "false")
        pip.write_text(without, encoding="utf-8")
    installed = install(environment)
    assert installed.returncode == 0, installed.stderr
    tell = "import lent; print(lent.word, lent.__file__)"
    told = subprocess.run([environment / "bin" / "python", "-c", tell], capture_output=True, text=True, check=True)
    assert told.stdout.split()[0] == "lent"
    assert told.stdout.split()[1].startswith(str(environment))


def test_whoever_may_not_write_there_is_told_what_to_do(environment: Path) -> None:
    (environment / "lib").chmod(0o555)
    as_nobody = ("setpriv", "--reuid=65532", "--clear-groups") if os.getuid() == 0 else ()
    for parent in environment.parents:
        if os.getuid() == 0 and parent.stat().st_uid == 0 and str(parent).startswith(str(environment.parents[2])):
            parent.chmod(0o755)
    refused = install(environment, *as_nobody)
    (environment / "lib").chmod(0o755)
    assert refused.returncode == 1
    assert "put USER 0 before RUN pip install, and USER 65532:65532 after it" in refused.stderr


def test_the_dockerfile_puts_it_where_path_finds_it_first() -> None:
    text = (SCRIPT.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    assert "install -m 755 /requirements/pip.sh /opt/podreduce/bin/pip" in text
    assert "ENV PATH=/opt/podreduce/bin:$PATH" in text
