"""Plans the side inputs: lists and pins their objects, and refuses what is too large for every pod to fetch.

Rule: the same rules as for inputs; only the limits are its own.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from podreduce.contract.plan import InputOptions, SideInput, SideObject
from podreduce_operator.api.spec import InputSpec
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.input_access import check_readable
from podreduce_operator.planning.input_sample import settle_columns
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.runs.run import Run

__all__ = ["MOST_SIDE_BYTES", "MOST_SIDE_OBJECTS", "name_files", "plan_side_inputs", "refuse_large"]

MOST_SIDE_BYTES: Final = 1 << 30
MOST_SIDE_OBJECTS: Final = 4096
"""Of all side inputs together. Every task reads their names in the plan, and every pod may fetch them."""

MOST_NAME_BYTES: Final = 255
"""The limit of a file's name on Linux."""


async def plan_side_inputs(run: Run) -> tuple[SideInput, ...]:
    """List the side inputs of a job.

    Raises:
        ActionError: they are too large, or cannot be listed or read; the reason says which.
    """
    planned: list[SideInput] = []
    for place, each in run.job.spec.all_side_inputs.items():
        listing = await list_input(each.uris, run.storage.open, output_uri=run.output.uri, place=place)
        refuse_large(place, each.name, listing, planned)
        paths = name_files(place, [found.uri for found in listing])
        await check_readable(each.uris, listing, run.storage.open)
        options = await settle_columns(each, listing, run.storage.open, place=place)
        planned.append(describe(each, options, listing, paths))
    return tuple(planned)


def describe(spec: InputSpec, options: InputOptions, listing: Sequence[InputObject], paths: Sequence[str]) -> SideInput:
    """Return a side input as the plan stores it."""
    return SideInput(
        name=spec.name,
        input_format=spec.format,
        input_options=options,
        encoding_errors=spec.encoding_errors,
        objects=tuple(
            SideObject(uri=found.uri, path=path, bytes=found.size_bytes, etag=found.etag)
            for found, path in zip(listing, paths, strict=True)
        ),
    )


def refuse_large(place: str, name: str, listing: Sequence[InputObject], others: Sequence[SideInput]) -> None:
    """Fail if a side input is too large, alone or together with those before it.

    Raises:
        ActionError: reason `SideInputsTooLarge`.
    """
    for unit, limit, own, before in (
        ("objects", MOST_SIDE_OBJECTS, len(listing), sum(len(each.objects) for each in others)),
        (
            "bytes",
            MOST_SIDE_BYTES,
            sum(found.size_bytes for found in listing),
            sum(found.bytes for each in others for found in each.objects),
        ),
    ):
        if own + before > limit:
            together = f", {own + before} together with the side inputs before it" if before else ""
            raise ActionError(
                "SideInputsTooLarge",
                f"spec.{place}: the side input {name!r} has {own} {unit}{together}, and {limit} is the limit, because "
                f"every pod fetches all of them: narrow spec.{place}.uris, or read it with spec.inputs",
                permanent=True,
            )


def name_files(place: str, uris: Sequence[str]) -> list[str]:
    """Return the paths of the objects' files, below the directory that all of them have in common.

    Raises:
        ActionError: reason `InputUnreadable`: an object cannot be a file of that name.
    """
    parts = [uri.split("/") for uri in uris]
    common = count_common([each[:-1] for each in parts])
    paths = ["/".join(each[common:]) for each in parts]
    directories = {path[:end] for path in paths for end, character in enumerate(path) if character == "/"}
    for uri, path in zip(uris, paths, strict=True):
        problem = find_path_problem(path, directories)
        if problem is not None:
            raise ActionError(
                "InputUnreadable",
                f"{uri}: as an object of a side input it becomes a file {path!r}, but {problem}: rename it, or leave "
                f"it out of spec.{place}.uris",
                permanent=True,
            )
    return paths


def count_common(directories: Sequence[Sequence[str]]) -> int:
    """Return how many parts all paths of directories begin with."""
    alike = takewhile(lambda parts: len({*parts}) == 1, zip(*directories, strict=False))
    return sum(1 for _ in alike)


def find_path_problem(path: str, directories: set[str]) -> str | None:
    """Return why a path is no file's; None if it is sound."""
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or "\0" in path:
        return "a part of that is no name of a file"
    if any(len(part.encode()) > MOST_NAME_BYTES for part in parts):
        return f"a file's name has at most {MOST_NAME_BYTES} bytes"
    return "that is also a directory of other objects" if path in directories else None
