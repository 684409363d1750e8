"""What is certainly wrong with a program, from its text alone: its syntax, its job class, the members of that class.

Rule: pure, and never runs the program: its text is compiled and its tree is read. A problem is what the task would
certainly refuse. Where there is a doubt (a class made by a call, a base class from elsewhere), the task decides.
"""

import ast
import difflib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from podreduce.contract.members import (
    ARGUMENTS,
    NEVER_GENERATORS,
    describe_combiner,
    describe_conflict,
    describe_key_columns,
    render_def,
)
from podreduce_operator.api.program_tree import ProgramClass, ProgramTree, is_generator, read_tree

__all__ = ["ProgramProblem", "find_program_problems", "find_syntax_problem"]

NEED_ANOTHER = frozenset({"reduce_batch", "combine_func", "combine_batch"})
"""Members that are wrong without another one, which may come from a base class that is not known."""

QUIET = Lock()
"""Held while warnings are off: this holds for the whole process, and several threads may check programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramProblem:
    """What is wrong at a place of the program's text. Lines and columns begin at 1; line 0 is the whole text."""

    line: int
    column: int
    message: str


@lru_cache(maxsize=8)
def find_program_problems(source: str, class_name: str | None = None) -> tuple[ProgramProblem, ...]:
    """Return what is wrong with the program; `class_name` is `spec.program.className`.

    The last answers are kept: each iteration of a loop asks again.
    """
    syntax = find_syntax_problem(source)
    if syntax is not None:
        return (syntax,)
    tree = read_tree(source)
    return () if tree is None else tuple(find_class_problems(tree, class_name))


def find_syntax_problem(source: str) -> ProgramProblem | None:
    """Return why this Python does not compile the program; None if it does."""
    try:
        with QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the task shows them
            compile(source, "<program>", "exec", dont_inherit=True)
    except SyntaxError as error:
        message = f"{type(error).__name__}: {error.msg}"
        return ProgramProblem(line=error.lineno or 0, column=error.offset or 0, message=message)
    except (ValueError, MemoryError) as error:
        words = str(error) or "it is nested too deeply"
        return ProgramProblem(line=0, column=0, message=f"the program cannot be compiled: {words}")
    except RecursionError:  # depends on how deep the stack is already
        return None
    return None


def find_class_problems(tree: ProgramTree, class_name: str | None) -> Iterator[ProgramProblem]:
    """Yield what is wrong with the choice of the job class, or else with the class."""
    chosen = choose_class(tree, class_name)
    if isinstance(chosen, ProgramClass):
        yield from find_member_problems(chosen)
    elif chosen is not None:
        yield chosen


def choose_class(tree: ProgramTree, class_name: str | None) -> ProgramClass | ProgramProblem | None:
    """Return the class that is the job, or why there is none; None if only running the program can tell."""
    if class_name is not None:
        return choose_named(tree, class_name)
    jobs = [each for each in tree.classes if each.is_job]
    if len(jobs) > 1 and tree.is_closed:
        names = ", ".join(each.name for each in jobs)
        message = f"the program has the job classes {names}: set program.className"
        return ProgramProblem(line=jobs[1].node.lineno, column=jobs[1].node.col_offset + 1, message=message)
    if len(jobs) == 1:
        return jobs[0]
    if jobs or not tree.is_closed or any(each.may_be_job for each in tree.classes):
        return None
    return describe_none(tree.classes)


def choose_named(tree: ProgramTree, class_name: str) -> ProgramClass | ProgramProblem | None:
    """Return the class with this name, or why it is no job class; None if only running the program can tell."""
    found = next((each for each in tree.classes if each.name == class_name), None)
    if found is not None and found.is_job:
        return found
    if found is not None and tree.is_closed and not found.may_be_job:
        message = f"program.className {class_name}: the class has no map_func(self, key, value)"
        return ProgramProblem(line=found.node.lineno, column=found.node.col_offset + 1, message=message)
    if found is None and tree.is_closed and class_name not in tree.names:
        message = f"program.className {class_name}: the program has no such class{suggest(class_name, tree.classes)}"
        return ProgramProblem(line=0, column=0, message=message)
    return None


def suggest(class_name: str, classes: Sequence[ProgramClass]) -> str:
    """Return the name that was probably meant, or the names that there are."""
    names = [each.name for each in classes]
    close = difflib.get_close_matches(class_name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; it has {', '.join(names) or 'no class at all'}"


def describe_none(classes: Sequence[ProgramClass]) -> ProgramProblem:
    """Return the problem of a program without a job class, with the method that was probably meant to be its map."""
    names = ", ".join(each.name for each in classes) or "no class at all"
    message = f"the program defines no class with a map_func(self, key, value); it has {names}"
    for each in classes:
        meant = next((name for name in each.methods if "map" in name.lower()), None)
        if meant is not None:
            node = each.methods[meant]
            message = f"{each.name} has no map_func(self, key, value): is {meant} meant to be it?"
            return ProgramProblem(line=node.lineno, column=node.col_offset + 1, message=message)
    line, column = (classes[0].node.lineno, classes[0].node.col_offset + 1) if classes else (0, 0)
    return ProgramProblem(line=line, column=column, message=message)


def find_member_problems(job: ProgramClass) -> Iterator[ProgramProblem]:
    """Yield what is wrong with the members of the job class."""
    if job.is_patched:
        return
    yield from find_declaration_problems(job)
    for member in ARGUMENTS:
        node = job.own.get(member)
        if isinstance(node, ast.expr | ast.stmt) and member not in job.assigned:
            wrong = describe_member(f"{job.name}.{member}", member, node)
            if wrong is not None:
                yield ProgramProblem(line=node.lineno, column=node.col_offset + 1, message=wrong)


def find_declaration_problems(job: ProgramClass) -> Iterator[ProgramProblem]:
    """Yield what is wrong with the combiner, or with the members together. Members that are not known may be there."""
    declared = job.own.get("combiner")
    combiner = declared.value if isinstance(declared, ast.Constant) else None
    if isinstance(declared, ast.Constant):
        wrong = describe_combiner(job.name, declared.value)
        if wrong is not None:
            yield ProgramProblem(line=declared.lineno, column=declared.col_offset + 1, message=wrong)
            return
    has = [name for name, node in job.own.items() if is_present(node)]
    if not job.is_complete:  # what another class adds cannot mend the others
        has = [name for name in has if name not in NEED_ANOTHER or combiner is not None]
    wrong = describe_conflict(job.name, has, combiner if isinstance(combiner, str) else None)
    if wrong is not None:
        yield ProgramProblem(line=job.node.lineno, column=job.node.col_offset + 1, message=wrong)
    yield from find_key_problems(job)


def find_key_problems(job: ProgramClass) -> Iterator[ProgramProblem]:
    """Yield what is wrong with the key columns, if they are literals."""
    declared = job.own.get("key_columns")
    if not isinstance(declared, ast.expr) or not job.is_complete or "key_columns" in job.assigned:
        return
    try:
        columns = ast.literal_eval(declared)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return
    wrong = describe_key_columns(job.name, {*job.own, *job.assigned}, columns)
    if wrong is not None:
        yield ProgramProblem(line=declared.lineno, column=declared.col_offset + 1, message=wrong)


def is_present(node: ast.AST) -> bool:
    """Tell whether a member certainly is there: a function, or a constant other than None."""
    if isinstance(node, ast.Constant):
        return node.value is not None
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def describe_member(name: str, member: str, node: ast.AST) -> str | None:
    """Return what is wrong with a member; None if nothing is for certain."""
    if isinstance(node, ast.Constant) and node.value is not None:
        return f"{name} is not a function: write {render_def(member)}"
    return describe_function(name, member, node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def describe_function(name: str, member: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    """Return what is wrong with the function that is a member; None if nothing is for certain."""
    kinds = {decorator.id if isinstance(decorator, ast.Name) else "" for decorator in function.decorator_list}
    if not kinds <= {"staticmethod", "classmethod"} or len(kinds) > 1:
        return None
    if isinstance(function, ast.AsyncFunctionDef):
        return f"{name} is async: write a plain def"
    if member in NEVER_GENERATORS and is_generator(function):
        return f"{name} has a yield, and what it yields would be lost: yield in the map or reduce"
    given = len(ARGUMENTS[member]) + ("staticmethod" not in kinds)
    if accepts(function.args, given):
        return None
    shown = ast.unparse(function.args)
    return f"{name}({shown}) cannot be called with ({', '.join(ARGUMENTS[member])}): write {render_def(member)}"


def accepts(arguments: ast.arguments, given: int) -> bool:
    """Tell whether a function takes this many positional arguments and no others."""
    places = len(arguments.posonlyargs) + len(arguments.args)
    needed = places - len(arguments.defaults)
    has_room = given <= places or arguments.vararg is not None
    return needed <= given and has_room and all(default is not None for default in arguments.kw_defaults)
