import pytest

from podreduce_operator.api.crd import load_crd
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, KINDS, SCHEDULE, Kind, Reference, parse_reference


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short)
def test_the_names_are_those_of_the_crd(kind: Kind) -> None:
    names = load_crd(kind.names)["spec"]["names"]
    assert kind.short in names["shortNames"]
    assert {names["plural"], names["singular"]} <= set(kind.words)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("wordcount", Reference(kind=JOB, name="wordcount")),
        ("mrj/wordcount", Reference(kind=JOB, name="wordcount")),
        ("MapReduceJob/wordcount", Reference(kind=JOB, name="wordcount")),
        ("mapreducejob.podreduce.dev/wordcount", Reference(kind=JOB, name="wordcount")),
        ("mrs/nightly", Reference(kind=SCHEDULE, name="nightly")),
        ("mapreduceschedules/nightly", Reference(kind=SCHEDULE, name="nightly")),
    ],
)
def test_a_resource_is_named_as_for_kubectl_and_a_plain_name_is_a_jobs(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "mrj/", "/wordcount", "pod/wordcount", "mrx/wordcount", "a/b/c"])
def test_what_names_no_resource_is_refused_as_a_wrong_command_line(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse_reference(text)
    assert refused.value.exit_code is CommandExit.INVALID
