"""`podreduce diagnose local/NAME`: why a run of this machine failed, from its last status and what was kept of it.

Rule: only reads, and asks no cluster. The findings are those of a job on a cluster, with the commands of this machine.
"""

import time
from collections.abc import Mapping
from typing import Any

from podreduce.contract.layout import POST_MORTEM_KEY
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.wire import decode
from podreduce_operator.cli.cluster.diagnose import print_diagnosis
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.findings import Case, Finding
from podreduce_operator.cli.cluster.job_findings import diagnose
from podreduce_operator.cli.cluster.kinds import JOB
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.pipeline_findings import StepCase, diagnose_pipeline, diagnose_step
from podreduce_operator.cli.cluster.pipeline_steps import Step
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.remedies import PIPELINE_REMEDIES
from podreduce_operator.cli.local_runs.history import PIPELINE_RUN, LocalRun
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.local_runs.showing import as_manifest, find_phase, find_run, find_step
from podreduce_operator.cli.pipelines.step_words import render_state
from podreduce_operator.cli.report import REMEDIES, STEP_REMEDIES
from podreduce_operator.cli.wording import render_seconds
from podreduce_operator.cli.workspace import POST_MORTEM_NAME

__all__ = ["diagnose_run", "read_kept_post_mortem"]

LOCAL_REMEDIES = REMEDIES | {"OutputExists": "choose another --output, or run again with --replace"}
"""What to do, by reason: `rerun` takes another option than `run`."""
LOCAL_STEP_REMEDIES = PIPELINE_REMEDIES | STEP_REMEDIES

ENDED = frozenset({"Complete", "Failed"})


def diagnose_run(name: str, output: Format | None) -> CommandExit:
    """Print why a run of this machine failed, or how it stands."""
    run = find_run(name)
    step = find_step(name, run)
    post_mortem, unknown = read_kept_post_mortem(run)
    if find_phase(run) not in ENDED:
        findings = [tell_unfinished(run)]
    elif run.kind != PIPELINE_RUN:
        findings = diagnose(make_case(run, as_manifest(run), post_mortem=post_mortem))
    else:
        steps = [find_case(run, line, post_mortem) for line in run.status.get("steps", ())]
        asked = [each for each in steps if each.step.name == step]
        whole = make_case(run, as_manifest(run))
        findings = tell_step(asked[0]) if asked else diagnose_pipeline(whole, steps)
    print_diagnosis({"run": f"{run.id}/{step}" if step else run.id}, findings, unknown, output)
    return CommandExit.DONE


def make_case(
    run: LocalRun, manifest: Mapping[str, Any], step: str = "", post_mortem: PostMortem | None = None
) -> Case:
    """Return what is known of a run, or of the job of a step that failed."""
    whole = f"{LOCAL}/{run.id}"
    return Case(
        job=manifest,
        place=Place(),
        now=time.time(),
        subject=f"{whole}/{step}" if step else whole,
        changed=whole,
        remedies=LOCAL_STEP_REMEDIES if run.kind == PIPELINE_RUN else LOCAL_REMEDIES,
        post_mortem=post_mortem,
    )


def find_case(run: LocalRun, line: Mapping[str, Any], post_mortem: PostMortem | None) -> StepCase:
    """Return a step, and of the one that failed what its job's last status says."""
    name = line["name"]
    step = Step(name=name, line={field: value for field, value in line.items() if field != "job"})
    if name != run.failed_step or not run.failed_status:
        return StepCase(step=step)
    status = run.failed_status
    spec = {"runId": status.get("runId", "1"), "output": {"uri": (status.get("output") or {}).get("uri", "")}}
    job = {"kind": JOB.names.kind, "metadata": {"name": line.get("job", name)}, "spec": spec, "status": status}
    return StepCase(step=step, case=make_case(run, job, name, post_mortem))


def tell_step(each: StepCase) -> list[Finding]:
    """Return the findings about one step. Only of the one that failed there is more than a line."""
    state = each.step.state
    if each.case is not None or state == "Failed":
        return diagnose_step(each)
    return [Finding(text=f"nothing is wrong with the step {each.step.name}: it is {render_state(each.step.line)}")]


def tell_unfinished(run: LocalRun) -> Finding:
    """Return what is known of a run without an end: it goes on, was interrupted, or was killed."""
    name, phase = f"{LOCAL}/{run.id}", find_phase(run)
    again = Place().command("rerun", name)
    if phase == "Running":
        seconds = render_seconds(time.time() - run.started_at)
        text = f"nothing is wrong: it has run for {seconds}, and its terminal shows how far it is"
        return Finding(text=text, command=Place().command("wait", name))
    if phase == "Lost":
        text = "its process was killed, or the machine went down: nothing says how far it came"
        return Finding(text=text, remedy="run it again; what it left is removed then", command=again)
    seconds = render_seconds((run.ended_at or run.started_at) - run.started_at)
    return Finding(text=f"it was interrupted after {seconds}: what it had begun was undone", command=again)


def read_kept_post_mortem(run: LocalRun) -> tuple[PostMortem | None, list[str]]:
    """Return the post-mortem that was kept of a run that failed, or why there is none.

    Raises:
        CommandError: it cannot be read.
    """
    if POST_MORTEM_NAME not in run.kept:
        return None, []
    directory = run.kept_directory(POST_MORTEM_NAME)
    if directory is None:
        return None, [f"the post-mortem: {run.workspace}/{POST_MORTEM_NAME} has been removed"]
    path = directory / POST_MORTEM_KEY
    try:
        return decode(path.read_bytes(), PostMortem), []
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: it cannot be read: {error}", CommandExit.FAILED) from error
