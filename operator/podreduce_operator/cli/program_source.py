"""The program's text, where it stands in its author's file, and what is wrong with it.

Rule: only reads. What is wrong is found by `api.program_problems`; here it gets the file's name, line and column.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from podreduce_operator.api.job_positions import TextBlock, find_block
from podreduce_operator.api.program_problems import ProgramProblem, find_program_problems
from podreduce_operator.api.spec import ProgramSpec
from podreduce_operator.cli.job_file import JobFile, find_module

__all__ = ["ProgramSource", "describe_module", "describe_problems", "find_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSource:
    """The program's text, as its author knows it.

    Attributes:
        file: the author's file; `within` names the text there: a field, or a ConfigMap.
        directory: where the program's own modules are.
    """

    text: str
    file: str
    within: str
    block: TextBlock
    directory: Path | None = None

    def show_place(self, line: int, column: int) -> str:
        """Return a place of the text as its author knows it: `job.yaml:12:9`."""
        place = self.block.place(line, column)
        if place is not None:
            return ":".join([self.file, *(str(number) for number in place if number)])
        return f"{self.file}: {self.within}" + (f", line {line}, column {column}" if line else "")

    def translate(self, traceback: str, name: str) -> str:
        """Return a traceback with the author's file and lines in place of `<name>.py`, as tasks call the program."""

        def as_known(frame: re.Match[str]) -> str:
            place = self.block.place(int(frame[1]), 0)
            return frame[0] if place is None else f'File "{self.file}", line {place[0]}'

        return re.sub(rf'File "{re.escape(name)}\.py", line (\d+)', as_known, traceback)

    def find_place(self, traceback: str) -> str:
        """Return the last place in a translated traceback that the author wrote: `job.yaml:12`. Empty if none is."""
        frames = re.findall(r'File "([^"\n]+)", line (\d+)', traceback)
        own = [f"{file}:{line}" for file, line in frames if file == self.file or self.is_beside(file)]
        return own[-1] if own else ""

    def is_beside(self, file: str) -> bool:
        """Tell whether a file is one of the modules beside the program."""
        return self.directory is not None and Path(file).is_relative_to(self.directory)


def find_source(program: ProgramSpec, file: JobFile) -> ProgramSource | None:
    """Return the program's text; None if it is in a module, or in a ConfigMap that the file does not hold."""
    if file.is_program:
        return ProgramSource(
            text=file.text, file=file.source, within="", block=TextBlock(first_line=1), directory=file.directory
        )
    if program.source is not None:
        path, matches = [*file.template, "spec", "program", "source"], {"kind": file.document}
        within = ".".join(path)
        text: str | None = program.source
    elif program.source_from is not None:
        reference = program.source_from.config_map_key_ref
        within, path = f"ConfigMap {reference.name}, key {reference.key}", ["data", reference.key]
        matches = {"kind": "ConfigMap", "metadata.name": reference.name}
        text = file.config_maps.get(reference.name, {}).get(reference.key)
    else:
        return None
    if text is None:
        return None
    return ProgramSource(text=text, file=file.source, within=within, block=find_block(file.text, matches, path, text))


def describe_module(directory: Path, module: str, class_name: str | None) -> list[str]:
    """Return what is certainly wrong with a program in a module beside its job; nothing if the module is not there."""
    path = find_module(directory, module)
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return [f"{path}: cannot be read: {reason}"]
    source = ProgramSource(
        text=text, file=str(path), within="", block=TextBlock(first_line=1), directory=path.resolve().parent
    )
    return describe_problems(source, class_name)


def describe_problems(source: ProgramSource, class_name: str | None) -> list[str]:
    """Return what is certainly wrong with the program: the place, the problem, and below it the line of the program."""
    return [describe_problem(source, problem) for problem in find_program_problems(source.text, class_name)]


def describe_problem(source: ProgramSource, problem: ProgramProblem) -> str:
    """Return the text about one problem."""
    message = f"{source.show_place(problem.line, problem.column)}: {problem.message}"
    lines = source.text.split("\n")
    if not 1 <= problem.line <= len(lines):
        return message
    line = lines[problem.line - 1]
    code = line.strip()
    before = problem.column - 1 - (len(line) - len(line.lstrip()))
    caret = [f"    {' ' * before}^"] if 0 <= before <= len(code) else []
    return "\n".join([message, f"    {code}", *caret])
