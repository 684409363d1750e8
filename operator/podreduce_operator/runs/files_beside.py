"""The files that the tasks of a run wrote beside their parts, as the intent names them.

Rule: pure. Names come from records that tasks wrote; `FileRef` accepts none that leaves the place for files.
"""

from collections.abc import Iterator, Sequence

from podreduce.contract.layout import file_key
from podreduce.contract.output_files import MOST_FILES_OF_RUN
from podreduce.contract.task import CommitRecord, IntentPart, PartRef, TaskRef
from podreduce.contract.texts import render_count
from podreduce_operator.model.errors import ActionError

__all__ = ["choose_files"]

REMEDY = "put context.task into its name, as in f'report-{context.task}.html', then set a new spec.runId"


def choose_files(commits: Sequence[CommitRecord]) -> tuple[IntentPart, ...]:
    """Return the files of these commits, in the order of their names.

    Raises:
        ActionError: `OutputFileClash`: two tasks wrote a file of one name, or one's file is a directory of the other's.
            `TooManyOutputFiles`: there are more than a run may have.
    """
    files = tuple(sorted(files_of(commits), key=lambda each: (each.name.split("/"), each.task)))
    if len(files) > MOST_FILES_OF_RUN:
        raise ActionError(
            "TooManyOutputFiles",
            f"the tasks wrote {render_count(len(files), 'file')} with context.output_file, and {MOST_FILES_OF_RUN:,} "
            "is the limit: write fewer, or yield what they hold",
            permanent=True,
        )
    refuse_clashes(files)
    return files


def files_of(commits: Sequence[CommitRecord]) -> Iterator[IntentPart]:
    """Yield the files with their final names."""
    for commit in commits:
        for each in commit.files:
            part = PartRef(key=each.key, bytes=each.bytes, records=0, sha256=each.sha256)
            yield IntentPart(name=file_key(each.name), task=commit.task, attempt_id=commit.attempt_id, part=part)


def refuse_clashes(files: Sequence[IntentPart]) -> None:
    """Make sure that no file has the name of another, or of a directory of another.

    Raises:
        ActionError: reason `OutputFileClash`.
    """
    writers: dict[str, TaskRef] = {}
    for each in files:
        # Sorted by their parts, a file comes before everything that is below a directory of its name.
        names = [each.name[:end] for end, character in enumerate(each.name) if character == "/"]
        for name in (*names, each.name):
            if name in writers:
                raise ActionError(
                    "OutputFileClash",
                    f"two tasks wrote a file of one name: {writers[name]} wrote {name}, and {each.task} wrote "
                    f"{each.name}: {REMEDY}",
                    permanent=True,
                )
        writers[each.name] = each.task
