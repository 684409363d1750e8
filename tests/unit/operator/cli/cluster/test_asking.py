"""The commands on an API server of a few lines: what they ask for, write and print, and how each refusal reads."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.task import TaskRef
from podreduce_operator.cli.cluster import waiting
from podreduce_operator.cli.cluster.changes import cancel, next_run_id, rerun, set_suspend
from podreduce_operator.cli.cluster.connection import Connection, open_connection
from podreduce_operator.cli.cluster.diagnose import show_diagnosis
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.event_list import list_events
from podreduce_operator.cli.cluster.job_status import show_status, watch_status
from podreduce_operator.cli.cluster.kinds import JOB, SCHEDULE, parse_reference
from podreduce_operator.cli.cluster.listing import list_resources
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.resources import read_resource
from podreduce_operator.cli.cluster.waiting import wait_for_all
from podreduce_operator.digests.pinned_digests import digest_text
from podreduce_operator.pods.pod_names import hash_run, pod_name
from tests.support.builders.pipelines import PAGERANK, PIPELINE_DEFAULTS
from tests.support.job_manifests import (
    JOB_UID,
    NAMESPACE,
    complete_job,
    condition,
    failed_job,
    make_job,
    make_pipeline_manifest,
    make_schedule,
    running_job,
    suspended_job,
    time_before,
)
from tests.support.kube_api import KubeApi, serve

WORD_COUNT, NIGHTLY, WEB = map(parse_reference, ("wordcount", "mrs/nightly", "mrp/web"))
JOBS = "/apis/podreduce.dev/v1beta1/namespaces/team-a/mapreducejobs"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[KubeApi]:
    async with serve(tmp_path) as served:
        served.put_core(NAMESPACE, "pods", [])
        served.put_core(NAMESPACE, "events", [])
        yield served


@pytest.fixture
async def connection(api: KubeApi) -> AsyncIterator[Connection]:
    async with open_connection(Place(kubeconfig=api.kubeconfig, namespace=NAMESPACE)) as opened:
        yield opened


async def test_a_list_is_of_one_namespace_or_of_all(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(complete_job())
    assert await list_resources(connection, JOB, selector="", output=None) is CommandExit.DONE
    assert capsys.readouterr().out.splitlines()[1].startswith("wordcount   Complete   16/16")
    async with open_connection(Place(kubeconfig=api.kubeconfig, all_namespaces=True)) as everywhere:
        await list_resources(everywhere, JOB, selector="", output=None)
    assert capsys.readouterr().out.splitlines()[1].startswith("team-a      wordcount")


async def test_an_empty_list_says_where_it_looked(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.lists[JOBS] = []
    assert await list_resources(connection, JOB, selector="", output=None) is CommandExit.DONE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "there are no MapReduceJobs in the namespace team-a; -A asks all namespaces\n"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (Format.NAME, "mapreducejob.podreduce.dev/wordcount\n"),
        (Format.JSON, '"kind": "MapReduceJob"'),
        (Format.YAML, "kind: MapReduceJob\n"),
    ],
)
async def test_a_resource_is_printed_as_kubectl_prints_it(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str], output: Format, words: str
) -> None:
    api.put(complete_job())
    assert await show_status(connection, WORD_COUNT, output) is CommandExit.DONE
    printed = capsys.readouterr().out
    assert words in printed
    assert "managedFields" not in printed


async def test_an_unknown_job_comes_with_names_like_it(api: KubeApi, connection: Connection) -> None:
    api.put(complete_job(), complete_job("unlike"))
    with pytest.raises(CommandError) as absent:
        await read_resource(connection, parse_reference("wordcuont"))
    assert str(absent.value) == "there is no MapReduceJob 'wordcuont' in the namespace team-a; like it: wordcount"
    assert absent.value.exit_code is CommandExit.NOT_ANSWERED


async def test_an_unknown_schedule_says_how_to_see_what_there_is(api: KubeApi, connection: Connection) -> None:
    api.put(make_schedule())
    with pytest.raises(CommandError, match=r"podreduce list mrs .*-n team-a shows what is there"):
        await read_resource(connection, parse_reference("mrs/x"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "log in to the cluster again"),
        (403, "the Role in docs/cli.md"),
        (404, "does not serve mapreducejobs: install podreduce's chart"),
        (409, "look at it, and try again"),
    ],
)
async def test_each_refusal_says_what_to_do(api: KubeApi, connection: Connection, status: int, words: str) -> None:
    api.refused[JOBS] = status
    with pytest.raises(CommandError, match=words):
        await list_resources(connection, JOB, selector="", output=None)


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with serve(tmp_path) as gone:
        pass
    with pytest.raises(CommandError, match=r"http://127.0.0.1:\d+: .* did not answer .*is it the right --context"):
        async with open_connection(Place(kubeconfig=gone.kubeconfig)) as connection:
            await list_resources(connection, JOB, selector="", output=None)


async def test_an_unknown_context_comes_with_the_known_ones(api: KubeApi) -> None:
    with pytest.raises(CommandError, match=r"there is no context 'y' in .*; there are: x"):
        async with open_connection(Place(kubeconfig=api.kubeconfig, context="y")):
            pass


@pytest.mark.parametrize("text", ["{", "[]", "apiVersion: v1\nkind: Config\n"], ids=["no-yaml", "no-map", "no-context"])
async def test_a_kubeconfig_that_is_none_is_no_traceback(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(CommandError, match="no credentials for the API server"):
        async with open_connection(Place(kubeconfig=file)):
            pass


async def test_suspend_and_resume_change_one_field_once(api: KubeApi, connection: Connection) -> None:
    api.put(running_job(), make_schedule())
    for reference, plural_name in ((WORD_COUNT, "wordcount"), (NIGHTLY, "nightly")):
        api.requests.clear()
        await set_suspend(connection, reference, suspend=True)
        await set_suspend(connection, reference, suspend=True)
        await set_suspend(connection, reference, suspend=False)
        assert api.written() == [
            ("PATCH", plural_name, {"spec": {"suspend": True}}),
            ("PATCH", plural_name, {"spec": {"suspend": False}}),
        ]


async def test_cancel_deletes_a_running_job_with_this_uid_after_a_yes(api: KubeApi, connection: Connection) -> None:
    api.put(running_job())
    with pytest.raises(CommandError, match="say --yes"):
        await cancel(connection, WORD_COUNT, is_sure=False)
    assert api.written() == []
    assert await cancel(connection, WORD_COUNT, is_sure=True) is CommandExit.DONE
    ((method, name, body),) = api.written()
    assert (method, name, body["preconditions"]) == ("DELETE", "wordcount", {"uid": JOB_UID})


async def test_cancel_leaves_a_job_alone_that_is_over(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(complete_job())
    assert await cancel(connection, WORD_COUNT, is_sure=True) is CommandExit.DONE
    assert api.written() == []
    assert "its run is over: Complete; kubectl delete mrj/wordcount" in capsys.readouterr().out


async def test_a_rerun_names_the_version_that_it_has_seen(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(failed_job())
    await rerun(connection, WORD_COUNT, run_id=None, replace_output=True, is_sure=False)
    change = {"metadata": {"resourceVersion": "7"}, "spec": {"runId": "2", "output": {"ifExists": "Replace"}}}
    assert api.written() == [("PATCH", "wordcount", change)]
    assert "run 2 asked for" in capsys.readouterr().out


async def test_a_rerun_warns_that_the_output_is_there(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(complete_job())
    await rerun(connection, WORD_COUNT, run_id="again", replace_output=False, is_sure=False)
    assert "OutputExists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("job", "run_id", "words"),
    [(running_job(), None, "will be aborted: say --yes"), (complete_job(), "1", "1 is its run already")],
    ids=["in-progress", "same-run"],
)
async def test_a_rerun_that_loses_or_does_nothing_is_refused(
    api: KubeApi, connection: Connection, job: dict[str, Any], run_id: str | None, words: str
) -> None:
    api.put(job)
    with pytest.raises(CommandError, match=words):
        await rerun(connection, WORD_COUNT, run_id=run_id, replace_output=False, is_sure=False)
    assert api.written() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1", "2"),
        ("9", "10"),
        ("2024-05", "2024-06"),
        ("007", "008"),
        ("nightly", "nightly-2"),
        ("a" * 63, "a" * 61 + "-2"),
    ],
)
def test_the_next_run_id_counts_on(old: str, new: str) -> None:
    assert next_run_id(old) == new


@pytest.mark.parametrize("length", [1, 62, 63])
@pytest.mark.parametrize("end", ["", "9", "99", "x"])
def test_the_next_run_id_is_never_too_long_nor_the_same(length: int, end: str) -> None:
    old = ("a" * length)[: max(length - len(end), 0)] + end
    assert len(next_run_id(old)) <= 63
    assert next_run_id(old) != old


async def test_a_change_of_a_schedules_job_names_the_schedule(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    job = running_job()
    job["metadata"]["ownerReferences"] = [
        {"kind": "MapReduceSchedule", "name": "nightly", "uid": "u", "controller": True}
    ]
    api.put(job)
    await set_suspend(connection, WORD_COUNT, suspend=True)
    assert "mrj/wordcount belongs to mrs/nightly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("job", "exit_code", "words"),
    [
        (complete_job(), CommandExit.DONE, "mrj/wordcount: complete in 1 min 30 s: 29,627 records"),
        (failed_job(), CommandExit.FAILED, "wordcount.py:4: ValueError"),
        (suspended_job(), CommandExit.SUSPENDED, "mrj/wordcount: suspended"),
    ],
    ids=["complete", "failed", "suspended"],
)
async def test_a_wait_ends_in_any_way_and_its_exit_code_says_in_which(
    api: KubeApi,
    connection: Connection,
    capsys: pytest.CaptureFixture[str],
    *,
    job: dict[str, Any],
    exit_code: CommandExit,
    words: str,
) -> None:
    api.put(job)
    assert await waiting.wait_for_all(connection, [WORD_COUNT], None) is exit_code
    printed = capsys.readouterr()
    assert words in printed.out + printed.err


async def test_a_wait_for_several_is_as_bad_as_the_worst(api: KubeApi, connection: Connection) -> None:
    failed = failed_job()
    failed["metadata"]["name"] = "broken"
    api.put(complete_job(), failed)
    references = [parse_reference("broken"), WORD_COUNT]
    assert await waiting.wait_for_all(connection, references, None) is CommandExit.FAILED


async def test_a_wait_says_what_is_waited_for_and_gives_up_in_time(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(running_job("QuotaExceeded", "full"))
    assert await waiting.wait_for_all(connection, [WORD_COUNT], 0.3) is CommandExit.TIMED_OUT
    told, late = capsys.readouterr().err.splitlines()
    assert told == "mrj/wordcount: Mapping; QuotaExceeded: full"
    assert late.startswith("mrj/wordcount: not ended after 0 s (--timeout); podreduce diagnose wordcount")


@pytest.mark.parametrize(
    ("fields", "exit_code"),
    [({"active": None}, CommandExit.DONE), ({}, None)],
    ids=["at-rest", "active"],
)
def test_a_schedule_rests_while_no_job_of_it_is_active(fields: dict[str, Any], exit_code: CommandExit | None) -> None:
    ending = waiting.find_rest(NIGHTLY, make_schedule(**fields))
    assert (None if ending is None else waiting.EXITS[ending]) is exit_code


async def test_a_watch_ends_with_the_run_and_names_the_next_command(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(complete_job())
    assert await watch_status(connection, WORD_COUNT) is CommandExit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mrj/wordcount in team-a: Complete")
    assert lines[-1].startswith("its records: podreduce output wordcount --head 10")


async def test_a_status_without_the_right_to_list_pods_is_shown_nevertheless(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(running_job())
    api.refused["/api/v1/namespaces/team-a/pods"] = 403
    assert await show_status(connection, WORD_COUNT, None) is CommandExit.DONE
    printed = capsys.readouterr().out
    assert "map 4/16" in printed
    assert "the pods may not be listed" in printed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"job.py": "class A: pass\n"}, ""),
        ({"job.py": "class B: pass\n"}, "SpecChanged: the text in ConfigMap count, key job.py has changed since"),
        ({}, "SpecChanged: the text in ConfigMap count, key job.py is not there any more"),
    ],
    ids=["the same", "changed", "gone"],
)
async def test_a_changed_text_in_a_config_map_is_seen_by_status_and_diagnose(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str], data: dict[str, str], words: str
) -> None:
    job = complete_job(digests={"spec": "0", "program": digest_text("class A: pass\n")})
    job["spec"] = {**job["spec"], "program": {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}}
    api.put(job)
    api.objects["/api/v1/namespaces/team-a/configmaps/count"] = {"data": data}
    for command in (show_status(connection, WORD_COUNT, None), show_diagnosis(connection, WORD_COUNT, None, None)):
        assert await command is CommandExit.DONE
        printed = capsys.readouterr().out
        assert words in printed
        assert ("SpecChanged" in printed) is bool(words)


async def test_without_the_right_to_read_the_config_map_status_says_nothing_and_diagnose_why(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    job = complete_job(digests={"spec": "0", "program": "1"})
    job["spec"] = {**job["spec"], "program": {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}}
    api.put(job)
    api.refused["/api/v1/namespaces/team-a/configmaps"] = 403
    await show_status(connection, WORD_COUNT, None)
    assert "SpecChanged" not in capsys.readouterr().out
    await show_diagnosis(connection, WORD_COUNT, None, None)
    assert "not known: the text in ConfigMap count, key job.py was not compared" in capsys.readouterr().out


async def test_a_schedules_status_has_its_jobs(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    job, schedule = complete_job("nightly-1"), make_schedule()
    owner = {"kind": "MapReduceSchedule", "name": "nightly", "uid": schedule["metadata"]["uid"], "controller": True}
    job["metadata"]["ownerReferences"] = [owner]
    api.put(job, schedule, make_job("other"))
    await show_status(connection, NIGHTLY, None)
    printed = capsys.readouterr().out
    assert "mrj/nightly-1 in team-a: Complete" in printed
    assert "other" not in printed


async def test_a_pipeline_is_drawn_with_the_states_of_its_steps(
    api: KubeApi, connection: Connection, tmp_path: Path
) -> None:
    pipeline = make_pipeline_manifest()
    pipeline["spec"] = {**PIPELINE_DEFAULTS, **PAGERANK}
    api.put(pipeline, running_job())
    path = tmp_path / "web.svg"
    assert await show_status(connection, WEB, None, path) is CommandExit.DONE
    drawn = path.read_text()
    assert [each for each in (">complete<", ">running<", ">2 so far<") if each not in drawn] == []
    with pytest.raises(CommandError, match="only a pipeline has steps to draw"):
        await show_status(connection, WORD_COUNT, None, path)
    with pytest.raises(CommandError, match="cannot be written: Is a directory"):
        await show_status(connection, WEB, None, tmp_path)


async def test_a_pipelines_status_has_its_steps_its_loops_and_the_job_that_runs(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    job, pipeline = running_job(), make_pipeline_manifest()
    job["metadata"] |= {"name": "web-sum-1-3", "uid": "u-9"}
    owner = {"kind": "MapReducePipeline", "name": "web", "uid": pipeline["metadata"]["uid"], "controller": True}
    job["metadata"]["ownerReferences"] = [owner]
    api.put(job, pipeline, make_job("other"))
    await show_status(connection, WEB, None)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("mrp/web in team-a: Running, run 1, 1/3 steps, for ")
    assert "├─ seed: complete, 7 records, 70 B, 4.0 s" in printed
    assert "├─ sum: running" in printed
    assert any("mrj/web-sum-1-3 in team-a: Mapping" in line for line in printed)
    assert "├─ loop rank: running, 2 of 30 iterations, last values 0.0031" in printed
    assert printed[-1].startswith("└─ longest way left: sum/3 > top, about 1 min 30 s")
    assert not any("other" in line for line in printed)


async def test_a_failed_pipeline_names_the_step_and_the_command_that_says_more(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"name": "sum", "state": "Failed", "job": "web-sum-1", "message": "ProgramError: no page d"}
    reason = condition("Failed", "StepFailed", "the step sum failed: ProgramError: no page d")
    api.put(make_pipeline_manifest(phase="Failed", steps=[failed], loops=[], conditions=[reason]))
    assert await wait_for_all(connection, [WEB], None) is CommandExit.FAILED
    told = capsys.readouterr().err
    assert "mrp/web: failed: StepFailed: the step sum failed: ProgramError: no page d" in told
    assert re.search(r"podreduce diagnose mrp/web .*says more", told)
    await show_status(connection, WEB, None)
    assert "why: podreduce diagnose mrp/web" in capsys.readouterr().out


async def test_a_complete_pipeline_says_what_was_unchanged_and_runs_again(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [{"name": "seed", "state": "Reused", "run": "0"}, {"name": "top", "state": "Complete"}]
    api.put(
        make_pipeline_manifest(phase="Complete", steps=steps, conditions=[condition("Complete", "AllStepsComplete")])
    )
    assert await wait_for_all(connection, [WEB], None) is CommandExit.DONE
    assert ": 2 steps, 1 of them unchanged" in capsys.readouterr().out
    with pytest.raises(CommandError, match="--replace is for jobs"):
        await rerun(connection, WEB, run_id=None, replace_output=True, is_sure=True)
    await rerun(connection, WEB, run_id=None, replace_output=False, is_sure=True)
    assert "mrp/web: run 2 asked for" in capsys.readouterr().out


async def test_a_diagnosis_says_what_it_could_not_read(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    api.put(failed_job(postMortem={"uri": "s3://work/post-mortem.json"}))
    api.refused["/api/v1/namespaces/team-a/pods"] = api.refused["/api/v1/namespaces/team-a/secrets"] = 403
    assert await show_diagnosis(connection, WORD_COUNT, None, None) is CommandExit.DONE
    unknown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not known: ")]
    assert [line.split(":")[1] for line in unknown] == [" the pods were not listed", " the post-mortem was not read"]


def make_event(uid: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    involved = {"kind": kind, "name": name, "uid": uid}
    told = {"type": "Normal", "reason": "Told", "message": "said", "count": 1, "lastTimestamp": time_before(60)}
    return {"metadata": {"name": name}, "involvedObject": involved, **told, **fields}


async def test_events_are_those_of_the_resource_and_of_its_runs_pods(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(running_job())
    pod = pod_name("wordcount", hash_run(JOB_UID, "1"), TaskRef.parse("m-3"), 1)
    own = make_event(JOB_UID, "MapReduceJob", "wordcount", lastTimestamp=time_before(90), count=3)
    others = [make_event("other", "MapReduceJob", "other"), make_event("pod-2", "Pod", "another-pod")]
    api.put_core(NAMESPACE, "events", [make_event("pod-1", "Pod", pod), own, *others])
    await list_events(connection, WORD_COUNT, None)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["LAST", "SEEN", "TYPE", "REASON", "ABOUT", "MESSAGE"]
    assert [row.split()[-5:] for row in rows] == [
        ["(x3)", "Normal", "Told", "mrj/wordcount", "said"],
        [rows[1].split()[0], "Normal", "Told", "m-3-1", "said"],
    ]
    await list_events(connection, WORD_COUNT, Format.NAME)
    assert capsys.readouterr().out.splitlines() == ["event/wordcount", f"event/{pod}"]


async def test_one_resource_is_in_one_namespace(api: KubeApi) -> None:
    async with open_connection(Place(kubeconfig=api.kubeconfig, all_namespaces=True)) as everywhere:
        with pytest.raises(CommandError, match="give -n NAMESPACE instead of -A"):
            await read_resource(everywhere, WORD_COUNT)


async def test_a_schedule_that_can_make_nothing_has_failed(
    api: KubeApi, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    status = {"observedGeneration": 1, "conditions": [condition("Stalled", "InvalidSchedule", "bad minute")]}
    api.put(make_schedule() | {"status": status})
    assert await wait_for_all(connection, [NIGHTLY], None) is CommandExit.FAILED
    assert capsys.readouterr().err == "mrs/nightly: it makes nothing: InvalidSchedule: bad minute\n"
    await show_status(connection, NIGHTLY, None)
    assert capsys.readouterr().out.startswith("mrs/nightly in team-a: it makes nothing, ")


async def test_a_schedule_is_no_job(connection: Connection) -> None:
    assert SCHEDULE is NIGHTLY.kind
    with pytest.raises(CommandError, match="a schedule has no runs"):
        await rerun(connection, NIGHTLY, run_id=None, replace_output=False, is_sure=True)
