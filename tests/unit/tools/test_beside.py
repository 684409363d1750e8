"""Two processes of pytest that look like one, on a project of a few tests."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.paths import CHECKOUT

SETTINGS = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = ["--import-mode=importlib", "-ra"]\n'
SECONDS = 300
LOW = min(os.nice(0) + 10, 19)
HERE = "def test_of_the_cluster():\n    assert True\n"


def start(place: Path, beside: str, *options: str, here: str = HERE) -> "subprocess.Popen[str]":
    """Run a project of one module that needs the cluster and one that does not."""
    for folder, text in (("e2e", here), ("unit", beside)):
        (place / "tests" / folder).mkdir(parents=True)
        (place / "tests" / folder / f"test_{folder}.py").write_text(text)
    (place / "pyproject.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.beside.first", "-p", "no:cacheprovider", *options]
    return subprocess.Popen(
        command,
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "120", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(place: Path, beside: str, *options: str, here: str = HERE) -> tuple[int, str]:
    """Return the exit code and the output."""
    process = start(place, beside, *options, here=here)
    said, _ = process.communicate(timeout=SECONDS)
    return process.returncode, said


def summary_of(said: str) -> str:
    """Return what the last line counts."""
    found = re.fullmatch(r"=+ (.*) in [\d.]+s =+", said.splitlines()[-1])
    assert found, said
    return found[1]


def test_the_tests_of_both_are_in_one_summary(tmp_path: Path) -> None:
    beside = (
        "import pytest\n"
        "def test_passes(): assert True\n"
        "def test_skips(): pytest.skip('no moon')\n"
        "import os\n"
        f"def test_is_of_low_priority(): assert (os.nice(0), os.getsid(0)) == ({LOW}, os.getpid())\n"
    )
    code, said = run(tmp_path, beside)
    assert (code, summary_of(said)) == (0, "3 passed, 1 skipped"), said
    assert re.search(r"SKIPPED \[1\] tests/unit/test_unit.py:3: no moon", said)
    assert re.search(r"tests/e2e/test_e2e.py \.", said)
    assert re.search(r"tests/unit/test_unit.py \.s\.", said)


def test_a_failure_beside_is_shown_and_fails_the_run(tmp_path: Path) -> None:
    code, said = run(tmp_path, "def test_fails():\n    value = 7\n    assert value == 8\n")
    assert (code, summary_of(said)) == (1, "1 failed, 1 passed"), said
    assert "E       assert 7 == 8" in said
    assert "FAILED tests/unit/test_unit.py::test_fails - assert 7 == 8" in said


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("import os\ndef test_one(): pass\ndef test_two(): os._exit(0)\n", "ended with 0 after 1 of 2 tests"),
        (
            "import os, signal\ndef test_one(): os.kill(os.getpid(), signal.SIGKILL)\n",
            "ended with -9 after 0 of 1 tests",
        ),
        ("import pytest\ndef test_one(): pytest.exit('enough', 0)\n", "ended with 0 after 0 of 1 tests"),
    ],
    ids=["a module that cannot be collected", "an end amid the tests", "a kill", "an exit"],
)
def test_a_second_process_that_is_not_through_fails_the_run(tmp_path: Path, beside: str, told: str) -> None:
    code, said = run(tmp_path, beside)
    assert code == 1, said
    assert told in said
    assert re.search(r"\d passed, [12] errors?", summary_of(said))


def test_a_failure_here_stops_both_where_the_first_failure_shall(tmp_path: Path) -> None:
    began = time.monotonic()
    code, said = run(
        tmp_path, "import time\ndef test_long(): time.sleep(50)\n", "-x", here="def test_fails(): assert 0\n"
    )
    assert (code, summary_of(said)) == (1, "1 failed"), said
    assert time.monotonic() - began < 45, "nobody waited for the second process"


def test_an_interrupt_ends_both(tmp_path: Path) -> None:
    here = "import time\nfrom pathlib import Path\ndef test_waits():\n    Path('here').touch()\n    time.sleep(50)\n"
    beside = here.replace("Path('here').touch()", "Path('pid').write_text(str(__import__('os').getpid()))")
    process = start(tmp_path, beside, here=here)
    while not ((tmp_path / "pid").exists() and (tmp_path / "here").exists()):
        assert process.poll() is None
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "KeyboardInterrupt" in said
    assert not Path(f"/proc/{pid}").exists()


def test_the_cluster_is_for_the_first_process_alone(tmp_path: Path) -> None:
    fixture = "import pytest\n@pytest.fixture(scope='session')\ndef cluster(): return 1\n"
    beside = f"{fixture}def test_asks(cluster): assert cluster\n"
    code, said = run(tmp_path, beside, here=beside)
    assert (code, summary_of(said)) == (1, "1 passed, 1 error"), said
    assert "what needs the cluster is in tests/e2e or tests/conformance" in said


def test_a_module_may_call_something_of_its_own_a_cluster(tmp_path: Path) -> None:
    own = "import pytest\n@pytest.fixture\ndef cluster(): return 1\ndef test_asks(cluster): assert cluster\n"
    code, said = run(tmp_path, own)
    assert (code, summary_of(said)) == (0, "2 passed"), said


def test_it_is_for_a_run_of_all_tests(tmp_path: Path) -> None:
    code, said = run(tmp_path, "", "tests/e2e")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "name no paths" in said
