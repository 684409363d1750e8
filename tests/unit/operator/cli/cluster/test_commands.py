"""The command line itself: names, help, completion, the plugin, and the Role that the docs show."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from podreduce_operator.cli import kubectl_completion
from podreduce_operator.cli.app import find_program_name
from podreduce_operator.cli.cluster.answering import is_place
from podreduce_operator.cli.cluster.commands import COMMANDS
from podreduce_operator.cli.cluster.completion import complete_jobs, complete_kinds, complete_references
from podreduce_operator.cli.commands import app
from podreduce_operator.cli.local_runs.history import History, begin
from tests.support.job_manifests import NAMESPACE, complete_job, make_schedule
from tests.support.kube_api import KubeApi, serve

PAGE = Path(__file__).parents[5] / "docs" / "cli.md"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    """An API server in a thread of its own, because a command has its own event loop."""
    served: list[KubeApi] = []
    ready, over = threading.Event(), threading.Event()

    async def run() -> None:
        async with serve(tmp_path) as found:
            served.append(found)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30)
    monkeypatch.setenv("KUBECONFIG", str(served[0].kubeconfig))
    yield served[0]
    over.set()
    thread.join()


def make_context(**options: Any) -> typer.Context:
    context = typer.Context(get_command(app))
    context.params = {"namespace": NAMESPACE, **options}
    return context


def test_names_are_completed_by_the_cluster(api: KubeApi) -> None:
    api.put(complete_job("words"), complete_job("worlds"), complete_job("other"), make_schedule())
    assert complete_jobs(make_context(), "wor") == ["words", "worlds"]
    assert complete_references(make_context(), "mrs/n") == ["mrs/nightly"]
    assert complete_references(make_context(), "mr") == ["mrj/", "mrp/", "mrs/"]
    assert complete_kinds("l") == ["local"]
    assert complete_kinds("map") == ["mapreducejobs", "mapreducepipelines", "mapreduceschedules"]


def test_runs_of_this_machine_are_completed_by_their_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert complete_jobs(make_context(), "local/") == []
    for number, name in enumerate(("words", "worlds", "other")):
        run = begin(name, f"{name}.py", tmp_path / f"podreduce-run-{number}")
        History(tmp_path / "podreduce").add(run)
    for complete in (complete_jobs, complete_references):
        assert sorted(complete(make_context(), "local/wor")) == ["local/words-0", "local/worlds-1"]


COMPLETE = Path(sys.executable).with_name("kubectl_complete-podreduce")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["stat"], ["status", ":4"]),
        (["list", "mapreducej"], ["mapreducejobs", ":4"]),
        (["status", "-n", NAMESPACE, "wor"], ["words", "worlds", ":4"]),
        (["status", "-n", NAMESPACE, "--", "wor"], ["words", "worlds", ":4"]),
        (["logs", "-n", NAMESPACE, ""], ["other", "words", "worlds", ":4"]),
        (["status", "--wa"], ["--watch", ":4"]),
        (["validate", "job"], [":0"]),
    ],
    ids=["a-command", "a-kind", "a-name", "a-name-after-dashes", "all-names", "an-option", "a-file"],
)
def test_kubectl_completes_what_stands_after_the_plugin(
    api: KubeApi,
    words: list[str],
    printed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.put(complete_job("words"), complete_job("worlds"), complete_job("other"))
    for name in ("_PODREDUCE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("sys.argv", [str(COMPLETE), *words])
    kubectl_completion.main()
    *proposals, directive = capsys.readouterr().out.splitlines()
    assert [*sorted(proposals), directive] == printed


def test_a_completion_without_a_cluster_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    assert complete_jobs(make_context(), "") == []
    assert complete_references(make_context(), "pod/") == []


def test_a_command_prints_its_result_and_ends_with_its_exit_code(api: KubeApi) -> None:
    api.put(complete_job())
    listed = CliRunner().invoke(app, ["list", "-n", NAMESPACE, "-o", "json"])
    assert listed.exit_code == 0
    assert [item["metadata"]["name"] for item in json.loads(listed.stdout)["items"]] == ["wordcount"]
    absent = CliRunner().invoke(app, ["status", "wordcuont", "-n", NAMESPACE])
    assert (absent.exit_code, absent.stdout) == (5, "")
    assert "like it: wordcount" in absent.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_begins_with_what_it_does(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0
    assert "--context" in shown.stdout
    assert "Usage: podreduce" in CliRunner().invoke(app, [name, "--help"], prog_name="podreduce").stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wordcount", False),
        ("mrj/wordcount", False),
        ("out/", True),
        ("./out", True),
        ("s3://b/c", True),
        ("/out", True),
    ],
)
def test_a_path_or_uri_is_told_from_a_job(name: str, *, expected: bool) -> None:
    assert is_place(name) is expected


def test_as_a_plugin_it_has_the_name_that_a_person_types() -> None:
    assert find_program_name("/usr/bin/kubectl-podreduce") == "kubectl podreduce"
    assert find_program_name("/usr/bin/podreduce") == "podreduce"


def test_the_role_of_the_docs_names_the_resources_that_the_crds_define() -> None:
    text = PAGE.read_text(encoding="utf-8")
    role = yaml.safe_load(text[text.index("```yaml") + len("```yaml") :].partition("```")[0])
    (ours,) = [rule for rule in role["rules"] if rule["apiGroups"] == ["podreduce.dev"]]
    assert ours["resources"] == ["mapreducejobs", "mapreducepipelines", "mapreduceschedules"]
    secrets = next(rule for rule in role["rules"] if rule["resources"] == ["secrets"])
    assert (secrets["resourceNames"], secrets["verbs"]) == (["podreduce-storage"], ["get"])
