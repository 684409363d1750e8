"""In which format a step reads what another step wrote, and why it cannot.

Rule: pure. A reader that names no format takes that of the step that it reads. One that names a format gets what this
format can read: the same one, lines as Text, or any object as a whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from podreduce.contract.texts import render_count
from podreduce_operator.api.pipeline_spec import PipelineSpec, StepInput, StepSpec

__all__ = ["find_format_problems", "settle_format"]

LINE_FORMATS: Final = frozenset({"Text", "JSONLines", "CSV"})


def settle_format(each: StepInput, producers: Sequence[StepSpec]) -> dict[str, Any]:
    """Return the format of an input, and its options, that follow from the steps that it reads.

    Nothing follows if the input names its format, or reads objects only.
    """
    if each.format is not None or not producers:
        return {}
    output = producers[0].output
    match output.written_format:
        case "FixedLength":
            return {"format": "FixedLength", "recordLength": output.record_length}
        case "CSV" if not output.columns:
            return {"format": "CSV", "csv": {"header": False}}
        case written:
            return {"format": written}


def find_format_problems(spec: PipelineSpec, each: StepInput) -> Iterator[str]:
    """Yield why an input cannot be read in its format. Steps that do not exist are reported elsewhere."""
    producers = [step for name in each.read_steps if (step := spec.step(name)) is not None]
    if each.format is None:
        yield from find_unsettled(each, producers)
        return
    for producer in producers:
        problem = describe_mismatch(each, producer)
        if problem is not None:
            yield problem


def find_unsettled(each: StepInput, producers: Sequence[StepSpec]) -> Iterator[str]:
    """Yield why the format of an input does not follow from what it reads."""
    if not producers:
        return
    first, *others = producers
    written = first.output.written_format
    if each.previous is not None and each.first is not None and each.first.uris:
        yield (
            f"later iterations read the {written} that {first.name} writes, and the format of the objects in first is "
            f"not known: name it with format, and write it with the output.format of {first.name}"
        )
    for other in others:
        if settle_format(each, [first]) != settle_format(each, [other]):
            yield (
                f"the first iteration reads the {other.output.written_format} of {other.name}, later ones the "
                f"{written} of {first.name}: give both the same output.format, with the same columns or recordLength"
            )
    if written == "FixedLength" and first.output.record_length is None:
        yield f"{first.name} does not say how long its records are: give its output a recordLength"


def describe_mismatch(each: StepInput, producer: StepSpec) -> str | None:
    """Return why an input cannot read a step's output in the format that it names; None if it can."""
    written, output = producer.output.written_format, producer.output
    if each.format == "WholeObject" or (each.format == "Text" and written in LINE_FORMATS):
        return None
    if each.format != written:
        return (
            f"{producer.name} writes {written}, which format {each.format} cannot read: leave format out, or give "
            f"{producer.name} the output.format {each.format}"
        )
    if written == "FixedLength" and output.record_length not in (None, each.record_length):
        return (
            f"{producer.name} writes records of {render_count(output.record_length, 'byte')}, and recordLength here is "
            f"{each.record_length}: make them equal"
        )
    return describe_header(each, producer) if written == "CSV" else None


def describe_header(each: StepInput, producer: StepSpec) -> str | None:
    """Return why the rows of a step's CSV would be read wrongly; None if they are not."""
    has_header = each.csv is None or each.csv.header
    if has_header and not producer.output.columns:
        return (
            f"{producer.name} writes CSV without the names of its columns, so its first row would be taken for them: "
            f"give its output columns, or set csv.header to false here"
        )
    if producer.output.columns and not has_header:
        return f"{producer.name} writes the names of its columns, which would be read as a row: leave csv.header out"
    return None
