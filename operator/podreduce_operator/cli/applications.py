"""`podreduce app`: lists the applications, runs one on this machine from its sample to its report, or copies one.

Rule: an application is an ordinary pipeline. What this module does for it, a person could do by `podreduce run`.
"""

import re
import shutil
import webbrowser
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.run import ExitStatus, RunOptions
from podreduce_operator.cli.run_any import run_any
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cluster.local.fork_server import ForkServer

__all__ = ["ApplicationRun", "copy_application", "list_applications", "run_application"]

PACKAGE = "podreduce_apps"
SAMPLE_NAME = "sample"
LINK_TO_DOCS = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(docs/[^)#]+)[^)]*\)")
"""A link from an application's README to podreduce's own pages, which are not beside a copy."""
INSTALL = "pip install 'podreduce[cli,apps]' for the applications"


class NoApplicationError(Exception):
    """There is no such application, or what it needs is not installed. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRun:
    """The command line of `podreduce app run`.

    Attributes:
        name: the application's.
        input: path or URI of the data; None: the application's sample.
        output: directory or prefix of everything that it writes.
        parameters: `NAME=VALUE`, as of `podreduce run`.
        parallelism: tasks at a time; None: as many as there are cores.
        keep: where steps' outputs and records stay, so that the next run does only what changed; None: nowhere.
        log_format: how progress is shown.
        opens: the report is shown in a browser at the end.
        command: the words of the command line, so that the run can be started again.
    """

    name: str
    input: str | None
    output: str
    parameters: tuple[str, ...]
    parallelism: int | None
    keep: Path | None
    log_format: str
    opens: bool
    command: tuple[str, ...] = ()


def list_applications() -> ExitStatus:
    """Print each application's name, and what it does."""
    try:
        known = load_catalog().APPLICATIONS
    except NoApplicationError as error:
        complain(str(error))
        return ExitStatus.INVALID
    width = max(map(len, known), default=0)
    for name, title in known.items():
        say(f"{name:{width}}  {title}")
    say("\npodreduce app run NAME runs one on its sample; podreduce app init NAME DIR copies it for you to change.")
    return ExitStatus.COMPLETE


def run_application(run: ApplicationRun, fork_server: ForkServer | None) -> ExitStatus:
    """Run an application's pipeline on this machine, and say where its report is."""
    try:
        pipeline = find_application(run.name).find_pipeline(run.name)
        source = run.input or write_sample(run)
    except NoApplicationError as error:
        complain(str(error))
        return ExitStatus.INVALID
    output = run.output.rstrip("/")
    overrides = Overrides(
        parallelism=run.parallelism, parameters=(f"input={source}", f"output={output}", *run.parameters)
    )
    options = RunOptions(file=str(pipeline), overrides=overrides, log_format=run.log_format, command=run.command)
    status = run_any(options, StepOverrides(keep=run.keep), fork_server)
    if status == ExitStatus.COMPLETE:
        show_report(output, opens=run.opens)
    return status


def write_sample(run: ApplicationRun) -> str:
    """Return the sample below the output, written unless it is there from an earlier run.

    Raises:
        NoApplicationError: the output is no local directory, so that the sample has no place.
    """
    if "://" in run.output:
        raise NoApplicationError(
            f"--output {run.output}: the sample is written to a local directory: name an --input too"
        )
    directory = Path(run.output) / SAMPLE_NAME
    if not directory.exists():
        say(f"{run.name}: writing the sample to {directory}/")
        part = directory.with_name(f"{SAMPLE_NAME}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        load_catalog().find_sample_writer(run.name)(part)
        part.rename(directory)
    return f"{directory}/"


def show_report(output: str, *, opens: bool) -> None:
    """Say where the report is, and show it in a browser if asked."""
    report = f"{output}/report/_files/report.html"
    say(f"report: {report}")
    if opens:
        webbrowser.open(report if "://" in report else Path(report).absolute().as_uri())


def copy_application(name: str, target: str) -> ExitStatus:
    """Copy an application's pipeline, modules and sample into a new directory, where they can be changed."""
    directory = Path(target)
    try:
        catalog = find_application(name)
        check_empty(directory)
        copy_package(catalog.find_package(name), name, directory)
        catalog.find_sample_writer(name)(directory / SAMPLE_NAME)
    except NoApplicationError as error:
        complain(str(error))
        return ExitStatus.INVALID
    except OSError as error:
        complain(f"{directory}: cannot be written: {error.strerror}")
        return ExitStatus.INVALID
    say(f"copied to {directory}/. Change what you like; your copy runs on its sample by")
    say(f"podreduce run {directory / 'pipeline.yaml'} -p input={directory / SAMPLE_NAME}/ -p output=results")
    say("the report is then results/report/_files/report.html")
    return ExitStatus.COMPLETE


def check_empty(directory: Path) -> None:
    """Check that nothing can be replaced.

    Raises:
        NoApplicationError: something is there.
    """
    if directory.exists() and any(directory.iterdir()):
        raise NoApplicationError(f"{directory} is not empty: choose another directory")


def copy_package(package: Path, name: str, directory: Path) -> None:
    """Copy the modules to a package `name` in the directory, beside the pipeline and the README, which name it so."""
    skipped = shutil.ignore_patterns("__pycache__", "*.yaml", "README.md", "*.png")
    shutil.copytree(package, directory / name, ignore=skipped)
    for path in (*package.glob("*.yaml"), *package.glob("*.png"), package / "README.md"):
        shutil.copy(path, directory / path.name)
    for path in directory.rglob("*"):
        if path.suffix in (".py", ".yaml", ".md"):
            text = path.read_text("utf-8").replace(f"{PACKAGE}.{name}", name)
            path.write_text(LINK_TO_DOCS.sub(r"\1 (\2 of podreduce)", text), encoding="utf-8")


def find_application(name: str) -> ModuleType:
    """Return the catalog, which has the application.

    Raises:
        NoApplicationError: it has not, or there is no catalog.
    """
    catalog = load_catalog()
    if name not in catalog.APPLICATIONS:
        raise NoApplicationError(f"{name} is no application: {', '.join(catalog.APPLICATIONS)} are")
    return catalog


def load_catalog() -> ModuleType:
    """Return the applications' catalog.

    Raises:
        NoApplicationError: the applications or their libraries are not installed.
    """
    try:
        import_module("networkx")
        import_module("sklearn")
        return import_module(f"{PACKAGE}.catalog")
    except ModuleNotFoundError as error:
        raise NoApplicationError(f"podreduce: {error.name} is missing: {INSTALL}") from error
