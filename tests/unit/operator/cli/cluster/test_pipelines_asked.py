"""The commands about a pipeline and a schedule: what each prints of one that runs, failed or is complete, whole."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.api.times import render_time
from podreduce_operator.cli.cluster.connection import Connection, open_connection
from podreduce_operator.cli.cluster.diagnose import show_diagnosis
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.job_logs import LogOptions
from podreduce_operator.cli.cluster.job_status import show_status
from podreduce_operator.cli.cluster.kinds import parse_reference
from podreduce_operator.cli.cluster.logs import show_logs
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.output_verification import show_verification
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.published_output import OutputOptions, show_output
from podreduce_operator.cli.cluster.remedies import CLUSTER_REMEDIES, PIPELINE_REMEDIES
from podreduce_operator.cli.cluster.resources import read_resource
from podreduce_operator.cli.cluster.subjects import find_job
from podreduce_operator.cli.replay.replay import ReplayOptions, replay_job
from podreduce_operator.pods.pod_names import hash_run
from tests.support import job_manifests
from tests.support.job_manifests import (
    NAMESPACE,
    PIPELINE_UID,
    SCHEDULE_UID,
    complete_job,
    condition,
    failed_job,
    make_pipeline_manifest,
    make_schedule,
    running_job,
)
from tests.support.kube_api import KubeApi, serve
from tests.support.pairs_oracle import write_pairs

WEB, NIGHTLY = map(parse_reference, ("mrp/web", "mrs/nightly"))
PIPELINES_PAGE = Path(__file__).parents[5] / "docs" / "pipelines.md"
RUN_HASH = hash_run(PIPELINE_UID, "1")
AT = "-n team-a"


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeApi]:
    """A cluster whose storage Secret may not be read; own keys are set, and not used for a directory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with serve(tmp_path) as served:
        served.put_core(NAMESPACE, "pods", [])
        served.put_core(NAMESPACE, "events", [])
        yield served


@pytest.fixture
async def connection(api: KubeApi) -> AsyncIterator[Connection]:
    assert api.kubeconfig.is_file(), "the current one is that of this cluster"
    async with open_connection(Place(namespace=NAMESPACE)) as opened:
        yield opened


def owned_by(manifest: dict[str, Any], kind: str, name: str, uid: str) -> dict[str, Any]:
    manifest["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "uid": uid, "controller": True}]
    return manifest


def job_of(step: str, job: dict[str, Any], run: Path | None = None, iteration: int = 0) -> dict[str, Any]:
    """Return a job as that of a step, whose kept records are in a directory."""
    name = f"web-{step}-{RUN_HASH}{f'-{iteration}' if iteration else ''}"
    labels = {"podreduce.dev/step": step, "podreduce.dev/pipeline-run": RUN_HASH}
    if iteration:
        labels["podreduce.dev/iteration"] = str(iteration)
    job["metadata"] |= {"name": name, "uid": f"uid-{name}", "labels": labels}
    if "wave" in job["status"]:
        job["status"]["wave"]["observedAt"] = render_time(time.time())
    if run is not None:
        job["status"]["postMortem"] = {"uri": f"file://{run}/post-mortem.json"}
    return owned_by(job, "MapReducePipeline", "web", PIPELINE_UID)


def make_run(directory: Path, **logs: str) -> Path:
    """Make the directory of a run whose pods are gone, with the logs of its tasks; m-3 failed."""
    (directory / "logs").mkdir(parents=True)
    (directory / "failures").mkdir()
    (directory / "failures" / "m-3-uid-b-0.json").write_text("{}")
    for task, text in logs.items():
        (directory / "logs" / f"{task.replace('_', '-')}-uid-{'b' if task == 'm_3' else 'a'}-0.log").write_text(text)
    return directory


def write_output(directory: Path, text: str) -> str:
    directory.mkdir()
    (directory / "part-r-00000.txt").write_text(text)
    (directory / "_SUCCESS").touch()
    return f"file://{directory}/"


def make_web(tmp_path: Path, *lines: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return the pipeline with these lines about its steps."""
    web = make_pipeline_manifest(steps=list(lines), loops=[], criticalPath=None, **status)
    read = [{"uris": ["s3://corpus/books/"]}]
    outputs = {"lengths": f"file://{tmp_path}/lengths/", "last": f"file://{tmp_path}/last/"}
    outputs_of = {each["name"]: {"uri": outputs[each["name"]]} if each["name"] in outputs else {} for each in lines}
    web["spec"]["steps"] = [{"name": name, "inputs": read, "output": output} for name, output in outputs_of.items()]
    return web


def line(name: str, state: str, **fields: Any) -> dict[str, Any]:
    job = {} if state in {"Waiting", "NotReached", "Reused"} else {"job": f"web-{name}-{RUN_HASH}"}
    return {"name": name, "state": state, **job, **fields}


RECORDS = {"records": 3, "bytes": 15, "seconds": 2}


def put_failed(api: KubeApi, tmp_path: Path) -> None:
    """Have a pipeline whose step lengths failed, after words was complete."""
    told = condition("Failed", "StepFailed", "the step lengths failed: BackoffLimitExceeded: m-3 failed 5 times")
    api.put(
        make_web(
            tmp_path,
            line("words", "Complete", **RECORDS),
            line("lengths", "Failed", message="BackoffLimitExceeded: m-3 failed 5 times"),
            line("last", "NotReached"),
            phase="Failed",
            conditions=[told],
        ),
        job_of("words", complete_job(), make_run(tmp_path / "words-run", r_0="reduced a\n")),
        job_of("lengths", failed_job(), make_run(tmp_path / "lengths-run", m_0="read b\n", m_3="one\nboom\n")),
    )


def put_complete(api: KubeApi, tmp_path: Path) -> None:
    """Have a pipeline that is complete, with a step that was not changed."""
    api.put(
        make_web(
            tmp_path,
            line("words", "Reused", run="0", **RECORDS),
            line("lengths", "Complete", **RECORDS),
            line("last", "Complete", **RECORDS),
            phase="Complete",
            completionTime=job_manifests.time_before(40),
            conditions=[condition("Complete", "AllStepsComplete")],
        ),
        job_of("lengths", complete_job(), make_run(tmp_path / "lengths-run", r_0="reduced 1\n")),
        job_of("last", complete_job()),
    )
    write_output(tmp_path / "lengths", "1\ta\n2\tbb\n")
    write_output(tmp_path / "last", "x\t1\n")


def put_running(api: KubeApi, tmp_path: Path) -> None:
    """Have a pipeline of which a step runs, and one waits."""
    api.put(
        make_web(
            tmp_path,
            line("words", "Complete", **RECORDS),
            line("lengths", "Running", progress="maps 4/16"),
            line("last", "Waiting"),
        ),
        job_of("words", complete_job()),
        job_of("lengths", running_job("QuotaExceeded", "exceeded quota: few")),
    )
    api.objects[f"/apis/podreduce.dev/v1beta1/namespaces/team-a/mapreducejobs/web-lengths-{RUN_HASH}"]["status"]["map"][
        "failed"
    ] = 0


PUT = {"running": put_running, "failed": put_failed, "complete": put_complete}

FAILED_LOGS = """\
==> words, r-0, attempt uid-a-0: did not fail; its pod is gone, these are its last lines <==
reduced a

==> lengths, m-0, attempt uid-a-0: did not fail; its pod is gone, these are its last lines <==
read b

==> lengths, m-3, attempt uid-b-0: failed; its pod is gone, these are its last lines <==
one
boom
"""


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (LogOptions(), FAILED_LOGS),
        (LogOptions(step="words"), "\n".join(FAILED_LOGS.splitlines()[:2]) + "\n"),
        (LogOptions(only_failed=True), "\n".join(FAILED_LOGS.splitlines()[6:]) + "\n"),
        (LogOptions(step="lengths", task="m-3"), "one\nboom\n"),
        (LogOptions(step="lengths", task="m-3", tail=1), "boom\n"),
    ],
    ids=["all", "a-step", "failed", "a-task", "its-last-line"],
)
async def test_the_logs_of_a_pipeline_are_those_of_its_steps_in_order(
    api: KubeApi,
    connection: Connection,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: LogOptions,
    *,
    printed: str,
) -> None:
    put_failed(api, tmp_path)
    assert await show_logs(connection, WEB, options) is CommandExit.DONE
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (LogOptions(task="m-3"), 2, "mrp/web: m-3 of which step? Say --step: words, lengths, last"),
        (LogOptions(step="last"), 1, "mrp/web: the step last was not reached, so it has no job"),
        (LogOptions(step="lost"), 2, "mrp/web: there is no step lost: its steps are words, lengths, last"),
        (LogOptions(step="words/2"), 2, "mrp/web: words/2: no iteration of it has a job"),
    ],
    ids=["no-step", "not-reached", "unknown", "no-loop"],
)
async def test_logs_that_cannot_be_meant_say_what_can(
    api: KubeApi, connection: Connection, tmp_path: Path, options: LogOptions, *, exit_code: int, message: str
) -> None:
    put_failed(api, tmp_path)
    with pytest.raises(CommandError) as refused:
        await show_logs(connection, WEB, options)
    assert (str(refused.value), refused.value.exit_code) == (message, exit_code)


async def test_a_pipeline_without_logs_says_which_steps_have_no_job_and_why(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(make_web(tmp_path, line("words", "Reused", run="7"), line("last", "Complete")))
    assert await show_logs(connection, WEB, LogOptions()) is CommandExit.FAILED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[:2] == [
        "mrp/web: the step words is unchanged since run 7, so this run has made no job for it",
        f"mrp/web: the job web-last-{RUN_HASH} of the step last is not there any more",
    ]


async def test_an_iteration_of_a_loop_is_named_and_otherwise_the_last_one_is_meant(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = {"name": "words", "state": "Complete", "job": f"web-words-{RUN_HASH}-2"}
    earlier = job_of("words", complete_job(), make_run(tmp_path / "of-another-run", r_0="old\n"), 1)
    earlier["metadata"]["labels"]["podreduce.dev/pipeline-run"] = "another"
    earlier["metadata"]["name"] = "web-words-another-1"
    api.put(
        make_web(tmp_path, last),
        earlier,
        *(
            job_of("words", complete_job(), make_run(tmp_path / f"run-{each}", r_0=f"{each}\n"), each)
            for each in (1, 2)
        ),
    )
    for step, text in (("words", "2\n"), ("words/1", "1\n"), ("words/2", "2\n")):
        await show_logs(connection, WEB, LogOptions(step=step, task="r-0"))
        assert capsys.readouterr().out == text
    with pytest.raises(CommandError, match="words/3: there are jobs of the iterations 1 to 2"):
        await show_logs(connection, WEB, LogOptions(step="words/3"))


DIAGNOSES = {
    "failed": f"""\
the step lengths: wordcount.py:4: ValueError: invalid literal for int() with base 10: 'x'
at the record: s3://corpus/books/a.txt at byte 7: 'oops'
what to do: {PIPELINE_REMEDIES["ProgramError"]}; then apply the file, and podreduce rerun mrp/web {AT}
next: podreduce logs web-lengths-{RUN_HASH} m-3 {AT}
  in the task m-3 (wordcount-1f0c9a2b3d-m-3-1, exit code 64): ProgramError
  Traceback (most recent call last):
    File "wordcount.py", line 4, in map_func
  ValueError: x
  the run ended with BackoffLimitExceeded: m-3 failed 5 times
  the same task again, here, in a debugger: podreduce replay web-lengths-{RUN_HASH} m-3 --pdb {AT}
  its job is mrj/web-lengths-{RUN_HASH}

not reached: 1 step: last
""",
    "running": f"""\
the step lengths: it waits: QuotaExceeded: exceeded quota: few
what to do: {CLUSTER_REMEDIES["QuotaExceeded"]}
next: podreduce events web-lengths-{RUN_HASH} {AT}
  its job is mrj/web-lengths-{RUN_HASH}

waiting for other steps: 1 step: last
""",
    "complete": f"""\
it is complete, in 1 min 30 s: 3 steps, 1 of them unchanged
next: podreduce output mrp/web {AT}
""",
}


@pytest.mark.parametrize("state", DIAGNOSES)
async def test_a_pipeline_is_diagnosed_by_the_jobs_of_its_steps(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    PUT[state](api, tmp_path)
    for each in api.objects.values():
        each["status"].pop("postMortem", None)  # which has tests of its own
    assert await show_diagnosis(connection, WEB, None, None) is CommandExit.DONE
    assert capsys.readouterr().out == DIAGNOSES[state]


async def test_a_diagnosis_of_one_step_is_that_of_its_job(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_failed(api, tmp_path)
    await show_diagnosis(connection, WEB, Format.JSON, None, "last")
    assert (
        json.loads(capsys.readouterr().out)["findings"][0]["text"] == "the step last was not reached, so it has no job"
    )
    await show_diagnosis(connection, WEB, None, None, "words")
    assert capsys.readouterr().out.startswith("the step words: it is complete, in 1 min 30 s: 29,627 records")


async def test_a_step_that_only_runs_is_said_to_run(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of("words", running_job())
    job["status"]["map"]["failed"] = 0
    api.put(make_web(tmp_path, line("words", "Running", progress="maps 4/16")), job)
    await show_diagnosis(connection, WEB, None, None)
    assert capsys.readouterr().out == (
        f"the step words: running; its job is mrj/{job['metadata']['name']}\n"
        f"next: podreduce status {job['metadata']['name']} --watch {AT}\n"
    )
    await show_status(connection, WEB, None)
    assert "waits" not in capsys.readouterr().out, "that it runs is not what it waits for"


@pytest.mark.parametrize(
    ("reason", "message"),
    [("Invalid", "spec.steps[0].program: there is none"), ("LoopLimitReached", "rank"), ("StepFailed", "words failed")],
)
async def test_a_pipeline_that_failed_without_a_job_says_what_its_reason_asks_for(
    api: KubeApi,
    connection: Connection,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    reason: str,
    message: str,
) -> None:
    api.put(make_web(tmp_path, line("words", "NotReached"), phase="Failed",
                     conditions=[condition("Failed", reason, message)]))  # fmt: skip
    await show_diagnosis(connection, WEB, None, None)
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{reason}: {message}",
        f"what to do: {PIPELINE_REMEDIES[reason]}; then podreduce rerun mrp/web {AT}",
    ]


@pytest.mark.parametrize("reason", sorted(set(PIPELINE_REMEDIES) - set(CLUSTER_REMEDIES)))
def test_a_reason_of_pipelines_with_a_remedy_is_one_that_the_docs_know(reason: str) -> None:
    assert f"| `{reason}` |" in PIPELINES_PAGE.read_text(encoding="utf-8")


async def test_a_loop_that_did_not_converge_is_found(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_complete(api, tmp_path)
    web = next(each for path, each in api.objects.items() if path.endswith("/web"))
    recent = [{"iteration": 30, "values": ["0.01"], "seconds": 1}]
    web["status"]["loops"] = [{"name": "rank", "state": "LimitReached", "iteration": 30, "recent": recent}]
    await show_diagnosis(connection, WEB, None, None)
    assert "the loop rank ended after 30 iterations without convergence; its last values are 0.01" in (
        capsys.readouterr().out
    )


async def test_a_suspended_pipeline_is_resumed_by_its_own_name(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web = make_web(tmp_path, line("words", "Running"), phase="Suspended", conditions=[condition("Suspended", "S", "")])
    web["spec"]["suspend"] = True
    api.put(web, job_of("words", job_manifests.suspended_job()))
    await show_diagnosis(connection, WEB, None, None)
    commands = [told for told in capsys.readouterr().out.splitlines() if told.startswith("next: ")]
    assert set(commands) == {f"next: podreduce resume mrp/web {AT}"}


async def test_the_outputs_of_a_pipeline_are_listed_and_one_is_read(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_complete(api, tmp_path)
    assert await show_output(connection, WEB, OutputOptions()) is CommandExit.DONE
    printed = capsys.readouterr()
    assert printed.out == (
        f"STEP      STATE      RECORDS   SIZE   OUTPUT\n"
        f"lengths   complete   3         15 B   {tmp_path}/lengths/\n"
        f"last      complete   3         15 B   {tmp_path}/last/\n"
    )
    assert printed.err == f"the records of one: podreduce output mrp/web --step last --head 10 {AT}\n"
    for options, text in (
        (OutputOptions(step="lengths"), "1\ta\n2\tbb\n"),
        (OutputOptions(step="lengths", head=1), "1\ta\n"),
        (OutputOptions(step="last", count=True), "1\n"),
    ):
        assert await show_output(connection, WEB, options) is CommandExit.DONE
        assert capsys.readouterr().out == text
    await show_output(connection, WEB, OutputOptions(step="lengths", save=tmp_path / "copy"))
    assert (tmp_path / "copy" / "part-r-00000.txt").read_text() == "1\ta\n2\tbb\n"
    assert await show_verification(connection, WEB, None, None, "last") is CommandExit.FAILED
    assert "_MANIFEST.json: missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        ("complete", OutputOptions(count=True), "several steps have an output: name one with --step: lengths, last"),
        (
            "running",
            OutputOptions(step="lengths"),
            "the step lengths has no complete output: it is running; podreduce wait mrp/web",
        ),
        (
            "failed",
            OutputOptions(step="last"),
            "the step last has no complete output: it is not reached; podreduce diagnose mrp/web",
        ),
        ("complete", OutputOptions(step="words"), "the step words has no URI of its own: its output is below workUri"),
    ],
    ids=["which", "running", "not-reached", "of-no-uri"],
)
async def test_an_output_that_is_not_there_says_why(
    api: KubeApi, connection: Connection, tmp_path: Path, state: str, options: OutputOptions, *, message: str
) -> None:
    PUT[state](api, tmp_path)
    with pytest.raises(CommandError, match=f"mrp/web: {message}"):
        await show_output(connection, WEB, options)


async def test_pairs_are_printed_as_lines_of_text(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_complete(api, tmp_path)
    pairs = [("a", 1), ((1, "b"), b"x"), ("lone \ud800", {1: 2})]
    (tmp_path / "lengths" / "part-r-00000.txt").unlink()
    (tmp_path / "lengths" / "part-r-00000.pairs").write_bytes(write_pairs(pairs))
    await show_output(connection, WEB, OutputOptions(step="lengths"))
    whole = capsys.readouterr().out.split("\n")
    assert whole == ["a\t1", '[1,"b"]\t"eA=="', (r"'lone \ud800'" "\t{1: 2}"), ""]
    await show_output(connection, WEB, OutputOptions(step="lengths", head=1))
    assert capsys.readouterr().out == "a\t1\n"
    await show_output(connection, WEB, OutputOptions(step="lengths", count=True))
    assert capsys.readouterr().out == "3\n"


async def test_a_pipeline_without_a_uri_says_what_a_step_shows(
    api: KubeApi, connection: Connection, tmp_path: Path
) -> None:
    api.put(make_web(tmp_path, line("words", "Complete"), line("more", "Complete")))
    with pytest.raises(CommandError, match=r"no step has an output with a URI; --step shows .*: words, more"):
        await show_output(connection, WEB, OutputOptions())


async def test_a_replay_takes_the_step_that_failed_and_says_which_job_that_is(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_failed(api, tmp_path)
    for step, told in ((None, f"mrp/web: the job of the step lengths is mrj/web-lengths-{RUN_HASH}\n"), ("words", "")):
        found = await find_job(connection, WEB, step)
        assert found.reference.name == f"web-{step or 'lengths'}-{RUN_HASH}"
        assert capsys.readouterr().err == told
    with pytest.raises(CommandError, match=r"post-mortem.json|plan/plan.json is not there"):
        await replay_job(connection, WEB, ReplayOptions(step="lengths", task="m-3"))


async def test_a_replay_of_a_pipeline_in_which_nothing_failed_wants_a_step(
    api: KubeApi, connection: Connection, tmp_path: Path
) -> None:
    put_complete(api, tmp_path)
    with pytest.raises(CommandError, match="no step of it has failed: name one with --step: words, lengths, last"):
        await replay_job(connection, WEB, ReplayOptions())
    with pytest.raises(CommandError, match="the step words is unchanged since run 0, so this run has made no job"):
        await replay_job(connection, WEB, ReplayOptions(step="words"))


async def test_a_job_has_no_steps(api: KubeApi, connection: Connection) -> None:
    api.put(complete_job())
    with pytest.raises(CommandError, match="--step: a job has no steps"):
        await show_logs(connection, parse_reference("wordcount"), LogOptions(step="x"))


async def test_a_schedule_is_asked_about_the_newest_that_it_made_and_says_which(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {name: make_run(tmp_path / name, m_0=f"{name}\n") for name in ("nightly-1", "nightly-2")}
    jobs = [complete_job(name, postMortem={"uri": f"file://{run}/post-mortem.json"}) for name, run in runs.items()]
    for number, job in enumerate(jobs):
        job["metadata"] |= {"uid": f"u{number}", "creationTimestamp": job_manifests.time_before(100 - number)}
        owned_by(job, "MapReduceSchedule", "nightly", SCHEDULE_UID)
    api.put(make_schedule(), *reversed(jobs))
    told = "mrs/nightly: the newest job that it made is mrj/nightly-2\n"
    assert await show_logs(connection, NIGHTLY, LogOptions()) is CommandExit.DONE
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1:] == ["nightly-2"]
    assert printed.err == told
    del jobs[1]["status"]["postMortem"]
    assert await show_diagnosis(connection, NIGHTLY, None, None) is CommandExit.DONE
    printed = capsys.readouterr()
    assert printed.out.startswith("it is complete, in 1 min 30 s: 29,627 records in s3://corpus/counts/\n")
    assert printed.err == told
    await show_diagnosis(connection, NIGHTLY, Format.JSON, None)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["schedule"], shown["newest job"]) == ("nightly", "nightly-2")


async def test_a_schedule_that_has_made_nothing_says_when_it_will(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(make_schedule())
    with pytest.raises(CommandError, match=r"mrs/nightly: there is no job of this schedule: podreduce diagnose"):
        await show_logs(connection, NIGHTLY, LogOptions())
    await show_diagnosis(connection, NIGHTLY, None, None)
    assert capsys.readouterr().out.startswith(
        "nothing is wrong: there is no job of this schedule yet; the next time is "
    )
    api.put(make_schedule(conditions=[condition("Stalled", "InvalidSchedule", "0 2 * *: four fields")]))
    await show_diagnosis(connection, NIGHTLY, None, None)
    assert capsys.readouterr().out == (
        "the schedule makes nothing: InvalidSchedule: 0 2 * *: four fields\nwhat to do: correct its spec\n"
    )


async def test_the_pipelines_of_a_schedule_are_asked_with_their_steps(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_complete(api, tmp_path)
    schedule = make_schedule()
    schedule["spec"] = {**schedule["spec"], "pipelineTemplate": {"spec": {}}}
    del schedule["spec"]["jobTemplate"]
    web = next(each for path, each in api.objects.items() if path.endswith("/web"))
    api.put(schedule, owned_by(web, "MapReduceSchedule", "nightly", SCHEDULE_UID))
    assert await show_output(connection, NIGHTLY, OutputOptions(step="last")) is CommandExit.DONE
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("x\t1\n", "mrs/nightly: the newest pipeline that it made is mrp/web\n")


async def test_a_pipeline_that_is_named_like_a_job_is_offered(
    api: KubeApi, connection: Connection, tmp_path: Path
) -> None:
    put_running(api, tmp_path)
    with pytest.raises(CommandError) as absent:
        await read_resource(connection, parse_reference("web"))
    assert str(absent.value) == (
        "there is no MapReduceJob 'web' in the namespace team-a; there is a pipeline: say mrp/web"
    )
