"""Finds the job class in the program and checks its members, so that mistakes show before the first record is read.

The program runs only in the processes of tasks: the operator never imports it.
"""

import importlib
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any, NoReturn

from podreduce.contract.errors import ProgramInvalidError, SetupFailedError
from podreduce.contract.members import (
    ARGUMENTS,
    COMBINERS,
    MAPPERS,
    NEVER_GENERATORS,
    Ranking,
    describe_combiner,
    describe_conflict,
    describe_key_columns,
    parse_ranking,
    render_def,
)
from podreduce.contract.plan import Program
from podreduce.program.reduce_idioms import recognise_aggregation
from podreduce.program.tracebacks import format_user_traceback, kind_of_setup, raise_blamed

__all__ = ["LoadedProgram", "Member", "load_program"]

Member = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProgram:
    """An instance of the job class with its bound members; None for a missing member.

    Attributes:
        combiner: as declared.
        aggregation: how the values of a key are reduced: the declared combiner, or the one that `reduce_func` is
            equivalent to (see reduce_idioms); None: `reduce_func` is called.
        key_columns: which columns of a `map_batch` are the key, in the order of their ranks; empty: the column `key`.
        ranking: which values of a key are kept for `reduce_func` or the output; None: all.
    """

    instance: object
    class_name: str
    map_func: Member | None
    map_batch: Member | None
    combine_batch: Member | None
    reduce_batch: Member | None
    reduce_func: Member | None
    combine_func: Member | None
    combiner: str | None
    aggregation: str | None
    ranking: Ranking | None
    key_columns: tuple[str, ...]
    partition_func: Member | None
    setup: Member | None
    teardown: Member | None

    @property
    def map_only(self) -> bool:
        """Whether the maps write the output."""
        return self.reduce_func is None and self.reduce_batch is None and self.combiner is None

    def bound_again(self) -> "LoadedProgram":
        """Return the program with its members looked up again: `setup` may have set some on the instance.

        Raises:
            ProgramError: they are invalid now.
        """
        return bind_program(self.instance)


def load_program(program: Program, *, name: str, archive: Path | None = None) -> LoadedProgram:
    """Load the program of the job `name` and make an instance of its job class.

    `archive`: the directory of the program's archive, if it has one; then its module must be there.

    Raises:
        ProgramError: it cannot be imported, does not have exactly one job class, or that class is invalid.
    """
    source = program.source
    module = load_module(program.module or "", archive) if source is None else load_source(source, name)
    job_class = find_job_class(module, program.class_name)
    check_declarations(job_class, job_class.__name__)
    try:
        instance = job_class()
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a constructor is also the program's error
        raise_blamed(error, f"{job_class.__name__}()", kind=SetupFailedError)
    return bind_program(instance)


def bind_program(instance: object) -> LoadedProgram:
    """Look up the members of an instance of the job class.

    Raises:
        ProgramError: they contradict each other, or do not accept the arguments that podreduce passes.
    """
    class_name = type(instance).__name__
    try:
        check_declarations(instance, class_name)
        members = {member: bind_member(instance, member) for member in ARGUMENTS}
    except BaseException as error:  # noqa: BLE001 - a property may raise; raise_blamed passes on other errors
        raise_blamed(error, class_name)
    return LoadedProgram(
        instance=instance,
        class_name=class_name,
        combiner=getattr(instance, "combiner", None),
        aggregation=choose_aggregation(instance, members),
        ranking=parse_ranking(getattr(instance, "combiner", None)),
        key_columns=tuple(getattr(instance, "key_columns", None) or ()),
        **members,
    )


def choose_aggregation(instance: object, members: Mapping[str, Member | None]) -> str | None:
    """Return the declared combiner, if it aggregates, or the one that `reduce_func` is equivalent to; else None.

    `combiner = None` in the class keeps `reduce_func` as it is written.
    """
    if hasattr(instance, "combiner") or members["combine_func"] is not None:
        combiner = getattr(instance, "combiner", None)
        return combiner if combiner in COMBINERS else None
    return recognise_aggregation(members["reduce_func"])


def load_source(source: str, name: str) -> ModuleType:
    """Run `source` as a module; tracebacks show it as `<name>.py`."""
    filename = f"{name}.py"
    # A modification time of None keeps linecache from looking for a file with that name.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = ModuleType("podreduce_program")
    module.__file__ = filename
    sys.modules[module.__name__] = module  # dataclasses and typing look up a class's module there
    try:
        exec(compile(source, filename, "exec"), module.__dict__)  # noqa: S102 - the purpose is to run the user's program
    except BaseException as error:  # noqa: BLE001 - see load_program
        raise_import_error(error, filename)
    return module


def load_module(name: str, archive: Path | None = None) -> ModuleType:
    """Import the module `name` from the archive; without one, from the image or the current directory."""
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - see load_program
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            remedy = "put it into the image (spec.image)" if archive is None else "put it into program.archive"
            raise ProgramInvalidError(f"program.module {name}: no such module; {remedy}, or correct the name") from None
        raise_import_error(error, name)
    if archive is not None:
        refuse_foreign(module, archive)
    return module


def refuse_foreign(module: ModuleType, archive: Path) -> None:
    """Refuse a module that is not the archive's: Python or the image has another one of that name.

    Raises:
        ProgramInvalidError: it is such a module.
    """
    found = getattr(module, "__file__", None) or "Python itself"
    if not Path(found).is_relative_to(archive):
        raise ProgramInvalidError(
            f"program.module {module.__name__}: there is another module of this name, {found}, which comes first: "
            "give the one in program.archive another name"
        )


def raise_import_error(error: BaseException, name: str) -> NoReturn:
    """Raise the ProgramError for a program whose import failed; interrupts are passed on."""
    if isinstance(error, MemoryError | KeyboardInterrupt):
        raise error
    message = f"{name} cannot be imported: {type(error).__name__}: {error}"
    raise kind_of_setup(error)(message, user_traceback=format_user_traceback(error)) from error


def find_job_class(module: ModuleType, class_name: str | None) -> type:
    """Return the class with this name, else the only job class that `module` itself defines.

    Raises:
        ProgramError: there is none, or several; the message names them.
    """
    if class_name is not None:
        found = getattr(module, class_name, None)
        if not isinstance(found, type) or not is_job_class(found):
            raise ProgramInvalidError(
                f"program.className {class_name}: {module.__file__} has no such class with a map_func"
            )
        return found
    defined = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    jobs = {each.__name__: each for each in defined if is_job_class(each)}
    if len(jobs) == 1:
        return jobs.popitem()[1]
    if jobs:
        raise ProgramInvalidError(f"{module.__file__} has the job classes {', '.join(jobs)}: set program.className")
    seen = ", ".join(each.__name__ for each in defined) or "no class at all"
    raise ProgramInvalidError(f"{module.__file__} defines no class with a map_func(self, key, value); it has {seen}")


def is_job_class(found: type) -> bool:
    """Tell whether `found` has a member that makes a class a job."""
    members = [getattr(found, name, None) for name in MAPPERS]
    return any(callable(member) or isinstance(member, property) for member in members)


def check_declarations(job: object, name: str) -> None:
    """Refuse members of a job class or its instance that contradict each other, or that this version does not know."""
    combiner = getattr(job, "combiner", None)
    has = [member for member in ARGUMENTS if getattr(job, member, None) is not None]
    wrong = (
        describe_combiner(name, combiner)
        or describe_conflict(name, has, combiner)
        or describe_key_columns(name, has, getattr(job, "key_columns", None))
    )
    if wrong is not None:
        raise ProgramInvalidError(wrong)


def bind_member(instance: object, member: str) -> Member | None:
    """Return the bound `member` of `instance`; None if it has none.

    Raises:
        ProgramInvalidError: it does not accept the arguments that podreduce passes.
    """
    bound: Member | None = getattr(instance, member, None)
    if bound is None:
        return None
    name = f"{type(instance).__name__}.{member}"
    if not callable(bound):
        raise ProgramInvalidError(f"{name} is not a function: write {render_def(member)}")
    if inspect.iscoroutinefunction(bound) or inspect.isasyncgenfunction(bound):
        raise ProgramInvalidError(f"{name} is async: write a plain def")
    if member in NEVER_GENERATORS and inspect.isgeneratorfunction(bound):
        raise ProgramInvalidError(f"{name} has a yield, and what it yields would be lost: yield in the map or reduce")
    check_arguments(bound, member, name)
    return bound


def check_arguments(bound: Member, member: str, name: str) -> None:
    """Refuse a member that does not accept the arguments that podreduce passes."""
    arguments = ARGUMENTS[member]
    try:
        signature = inspect.signature(bound)
    except ValueError as error:
        if isinstance(bound, MethodType):
            raise ProgramInvalidError(f"{name} takes no self: write {render_def(member)}") from error
        return  # a function written in C shows no signature
    try:
        signature.bind(*arguments)
    except TypeError:
        raise ProgramInvalidError(
            f"{name}{signature} cannot be called with ({', '.join(arguments)}): write {render_def(member)}"
        ) from None
