"""The commands for jobs on a cluster, and their options. Each command's module is imported when it is called."""

from collections.abc import Callable
from dataclasses import replace

import typer

from podreduce_operator.cli.cluster.answering import (
    answer,
    answer_here,
    ask_about,
    find_directory,
    find_uri,
    is_place,
    read,
    refuse_local,
    with_step,
)
from podreduce_operator.cli.cluster.arguments import (
    CountOption,
    DebugOption,
    EndpointOption,
    EverywhereOption,
    FailedOption,
    HeadOption,
    KindArgument,
    MapsOption,
    NameArgument,
    NamesArgument,
    OutputOption,
    PublishedArgument,
    RawOption,
    ReplaceOption,
    ReplayArgument,
    ReplayStepOption,
    ReplayTaskArgument,
    RunIdOption,
    SaveOption,
    SelectorOption,
    StatusGraphOption,
    StepOption,
    TailOption,
    TaskArgument,
    TimeoutOption,
    WatchOption,
    YesOption,
)
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.place_options import with_place_options
from podreduce_operator.cli.local_runs.names import LOCAL, is_local

__all__ = ["COMMANDS", "add_cluster_commands"]

PANEL = "Jobs on a cluster, and runs of this machine (local/NAME)"


@with_place_options
def list_command(
    kind: KindArgument = "mrj",
    *,
    everywhere: EverywhereOption = False,
    selector: SelectorOption = "",
    output: OutputOption = None,
    place: Place,
) -> None:
    """List jobs, pipelines or schedules; `list local`: the last runs of this machine."""
    from podreduce_operator.cli.cluster.kinds import find_kind  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.cluster.listing import list_resources  # noqa: PLC0415

    if kind == LOCAL:
        from podreduce_operator.cli.local_runs.showing import list_runs  # noqa: PLC0415

        answer_here(lambda: list_runs(output))
    asked = replace(place, all_namespaces=everywhere)
    found = read(lambda: find_kind(kind))
    answer(asked, lambda connection: list_resources(connection, found, selector=selector, output=output))


@with_place_options
def status_command(
    name: NameArgument,
    *,
    watch: WatchOption = False,
    output: OutputOption = None,
    graph: StatusGraphOption = None,
    place: Place,
) -> None:
    """Show where a job stands: its tasks, its pods, its speed, the time left, and why it waits."""
    if is_local(name):
        from podreduce_operator.cli.local_runs.showing import show_run  # noqa: PLC0415

        answer_here(lambda: show_run(name, output))
    from podreduce_operator.cli.cluster import job_status  # noqa: PLC0415 - other commands need none of it

    if watch:
        ask_about(place, name, job_status.watch_status)
    ask_about(place, name, lambda connection, reference: job_status.show_status(connection, reference, output, graph))


@with_place_options
def wait_command(names: NamesArgument, *, timeout: TimeoutOption = None, place: Place) -> None:
    """Wait until a run has ended, in any way; of a schedule, until none of its jobs is active.

    Exit codes: 0 complete, 1 failed, 3 suspended, 4 the time is over, 5 the cluster gives no answer.
    """
    from podreduce_operator.cli.cluster.kinds import parse_reference  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.cluster.waiting import wait_for_all  # noqa: PLC0415 - other commands need none of it

    if names and all(map(is_local, names)):
        from podreduce_operator.cli.local_runs.waiting import wait_for_runs  # noqa: PLC0415

        answer_here(lambda: wait_for_runs(names, timeout))
    references = read(lambda: [*map(parse_reference, names)])
    answer(place, lambda connection: wait_for_all(connection, references, timeout), names[0])


@with_place_options
def logs_command(
    name: NameArgument,
    task: TaskArgument = None,
    *,
    step: StepOption = None,
    failed: FailedOption = False,
    tail: TailOption = None,
    raw: RawOption = False,
    endpoint: EndpointOption = None,
    place: Place,
) -> None:
    """Print what tasks have printed: from their pods, and what is kept when the pods are gone."""
    from podreduce_operator.cli.cluster.job_logs import LogOptions  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.cluster.logs import show_logs  # noqa: PLC0415

    options = LogOptions(task=task, step=step, only_failed=failed, tail=tail, is_raw=raw, endpoint=endpoint)
    if is_local(name):
        from podreduce_operator.cli.local_runs.showing import show_logs_of  # noqa: PLC0415

        answer_here(lambda: show_logs_of(with_step(name, step), options))
    ask_about(place, name, lambda connection, reference: show_logs(connection, reference, options))


@with_place_options
def replay_command(
    name: ReplayArgument,
    task: ReplayTaskArgument = None,
    *,
    step: ReplayStepOption = None,
    debug: DebugOption = False,
    maps: MapsOption = False,
    endpoint: EndpointOption = None,
    place: Place,
) -> None:
    """Run one task of a run again, here: its exact input and its pinned program. Nothing is written elsewhere.

    Exit codes: 0 it went well, 1 it failed, or what it needs is gone, 2 invalid, 5 the store gives no answer.
    """
    from podreduce_operator.cli.replay.replay import (  # noqa: PLC0415 - other commands need none of it
        ReplayOptions,
        replay_job,
        replay_kept,
    )

    options = ReplayOptions(task=task, step=step, debugs=debug, with_maps=maps, endpoint=endpoint)
    if is_place(name) or is_local(name):
        answer_here(lambda: replay_kept(find_directory(with_step(name, step)), options))
    ask_about(place, name, lambda connection, reference: replay_job(connection, reference, options))


@with_place_options
def diagnose_command(
    name: NameArgument,
    *,
    step: StepOption = None,
    output: OutputOption = None,
    endpoint: EndpointOption = None,
    place: Place,
) -> None:
    """Say why a job or a pipeline waits, is slow or failed, what to do, and the next command."""
    from podreduce_operator.cli.cluster.diagnose import show_diagnosis  # noqa: PLC0415 - other commands need none

    if is_local(name):
        from podreduce_operator.cli.local_runs.diagnosing import diagnose_run  # noqa: PLC0415

        answer_here(lambda: diagnose_run(with_step(name, step), output))
    ask_about(place, name, lambda connection, reference: show_diagnosis(connection, reference, output, endpoint, step))


@with_place_options
def output_command(
    name: PublishedArgument,
    *,
    step: StepOption = None,
    head: HeadOption = None,
    count: CountOption = False,
    save: SaveOption = None,
    endpoint: EndpointOption = None,
    place: Place,
) -> None:
    """Print the records that a run has published: text as it is, rows of Parquet as lines of JSON.

    Of a pipeline: list the steps that have an output with a URI; --step chooses one.
    """
    from podreduce_operator.cli.cluster.published_output import (  # noqa: PLC0415 - other commands need none of it
        OutputOptions,
        show_output,
        show_output_at,
    )

    options = OutputOptions(head=head, count=count, save=save, step=step, endpoint=endpoint)
    if is_local(name):
        from podreduce_operator.cli.local_runs.showing import show_output_of  # noqa: PLC0415

        answer_here(lambda: show_output_of(with_step(name, step), options))
    if is_place(name):
        answer_here(lambda: show_output_at(find_uri(with_step(name, step)), options))
    ask_about(place, name, lambda connection, reference: show_output(connection, reference, options))


@with_place_options
def verify_command(
    name: PublishedArgument,
    *,
    step: StepOption = None,
    output: OutputOption = None,
    endpoint: EndpointOption = None,
    place: Place,
) -> None:
    """Compare an output with its manifest: sizes, digests, records, missing and surplus objects.

    Exit codes: 0 it is whole, 1 it differs or is not complete, 5 the store gives no answer.
    """
    from podreduce_operator.cli.cluster.output_verification import (  # noqa: PLC0415 - other commands need none of it
        show_verification,
        show_verification_at,
    )

    if is_place(name) or is_local(name):
        answer_here(lambda: show_verification_at(find_uri(with_step(name, step)), output))
    ask_about(
        place, name, lambda connection, reference: show_verification(connection, reference, output, endpoint, step)
    )


@with_place_options
def events_command(name: NameArgument, *, output: OutputOption = None, place: Place) -> None:
    """List what was reported about a job and its pods, in the order of time."""
    from podreduce_operator.cli.cluster.event_list import list_events  # noqa: PLC0415 - other commands need none of it

    if is_local(name):
        from podreduce_operator.cli.local_runs.events import list_events_of  # noqa: PLC0415

        answer_here(lambda: list_events_of(name, output))
    ask_about(place, name, lambda connection, reference: list_events(connection, reference, output))


@with_place_options
def suspend_command(name: NameArgument, *, place: Place) -> None:
    """Stop the pods of a job until it is resumed; or let a schedule make no jobs. What is committed stays."""
    from podreduce_operator.cli.cluster.changes import set_suspend  # noqa: PLC0415 - other commands need none of it

    refuse_local(name, "suspended")
    ask_about(place, name, lambda connection, reference: set_suspend(connection, reference, suspend=True))


@with_place_options
def resume_command(name: NameArgument, *, place: Place) -> None:
    """Let a suspended job or schedule go on."""
    from podreduce_operator.cli.cluster.changes import set_suspend  # noqa: PLC0415 - other commands need none of it

    refuse_local(name, "resumed")
    ask_about(place, name, lambda connection, reference: set_suspend(connection, reference, suspend=False))


@with_place_options
def cancel_command(name: NameArgument, *, yes: YesOption = False, place: Place) -> None:
    """Delete a job that has not ended: its pods stop, its intermediate data goes, and published outputs stay."""
    from podreduce_operator.cli.cluster.changes import cancel  # noqa: PLC0415 - other commands need none of it

    refuse_local(name, "cancelled")
    ask_about(place, name, lambda connection, reference: cancel(connection, reference, is_sure=yes))


@with_place_options
def rerun_command(
    name: NameArgument,
    *,
    run_id: RunIdOption = None,
    replace_output: ReplaceOption = False,
    yes: YesOption = False,
    place: Place,
) -> None:
    """Run a job or a pipeline again, with its spec as it is now."""
    from podreduce_operator.cli.cluster.changes import rerun  # noqa: PLC0415 - other commands need none of it

    if is_local(name):
        from podreduce_operator.cli.local_runs.running_again import run_again  # noqa: PLC0415

        answer_here(lambda: run_again(name, run_id=run_id, replace_output=replace_output))
    ask_about(
        place,
        name,
        lambda connection, reference: rerun(
            connection, reference, run_id=run_id, replace_output=replace_output, is_sure=yes
        ),
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_command,
    "status": status_command,
    "wait": wait_command,
    "logs": logs_command,
    "replay": replay_command,
    "diagnose": diagnose_command,
    "output": output_command,
    "verify": verify_command,
    "events": events_command,
    "suspend": suspend_command,
    "resume": resume_command,
    "cancel": cancel_command,
    "rerun": rerun_command,
}


def add_cluster_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for name, command in COMMANDS.items():
        app.command(name, rich_help_panel=PANEL)(command)
