"""`podreduce render`: prints the job or pipeline that a schedule makes at a time, for `kubectl create -f -`.

It has the schedule's own name for the time. So a time has one job, whoever makes it first.
"""

from typing import Any

import yaml

from podreduce_operator.api.job_files import ManifestError, ManifestLoader
from podreduce_operator.cli.job_file import read_text
from podreduce_operator.cli.pipelines.pipeline_file import InvalidPipelineError
from podreduce_operator.cli.run import ExitStatus, InvalidFileError
from podreduce_operator.cli.schedule_file import parse_schedule_file, parse_time_of
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cli.validate import check_made

__all__ = ["render_file", "write_manifest"]

ODD_BREAKS = frozenset("\r\x85\u2028\u2029")


def render_file(path: str, at: str) -> ExitStatus:
    """Print the job or pipeline of a time that the schedule in the file names."""
    try:
        schedule = parse_schedule_file(*read_text(path))
        time = parse_time_of(schedule, at)
        schedule.require_own_time(time)
        file = schedule.make_job_file(time)
        check_made(file)
    except (ManifestError, InvalidFileError, InvalidPipelineError) as error:
        complain(str(error))
        return ExitStatus.INVALID
    say(write_manifest(file.manifest).rstrip("\n"))
    return ExitStatus.COMPLETE


class ManifestDumper(yaml.SafeDumper):
    """Writes texts so that kubectl and PyYAML read them as texts, and programs as blocks of lines."""

    yaml_implicit_resolvers = yaml.SafeDumper.yaml_implicit_resolvers | ManifestLoader.yaml_implicit_resolvers


def write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Return the node of a text: with several lines, a block. Of YAML's other line breaks only escapes are safe."""
    style = '"' if ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


ManifestDumper.add_representer(str, write_text)


def write_manifest(manifest: dict[str, Any]) -> str:
    """Return a manifest as YAML, in the order of its fields."""
    return yaml.dump(manifest, Dumper=ManifestDumper, sort_keys=False, allow_unicode=True, width=120)
