"""Errors of the user's program as the user should see them: only their frames, and the record that raised.

Rule: every error that a call into user code raises goes through `raise_blamed`, which alone decides whose fault it is.
"""

import re
import sys
import traceback
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import podreduce
from podreduce.contract.errors import (
    InternalError,
    PodreduceError,
    ProgramError,
    ProgramInvalidError,
    SetupFailedError,
)
from podreduce.contract.program_files import PROGRAM_DIRECTORY
from podreduce.contract.texts import render_count
from podreduce.encoding.keys import UnsupportedTypeError
from podreduce.encoding.showing import show, show_error

__all__ = [
    "RECORD_LENGTH",
    "describe_key",
    "describe_record",
    "format_user_traceback",
    "is_hidden",
    "is_of_context",
    "is_users",
    "kind_of_setup",
    "raise_blamed",
]

OWN_DIRECTORY = f"{Path(podreduce.__file__).parent}/"
CALLERS = tuple(
    f"{OWN_DIRECTORY}{name}.py"
    for name in (
        "program/loading",
        "program/calling",
        "task/attempt",
        "task/map_rows",
        "task/skipping",
        "task/reduce_rows",
        "task/map_batches",
        "task/skip_batches",
        "task/combine_batches",
        "task/reduce_batches",
    )
)
"""The only modules that call into user code."""
CONTEXT_FILE = f"{OWN_DIRECTORY}program/api.py"
RECORD_LENGTH = 1024
UNPACKED = re.compile(rf'File "[^"\n]*/{PROGRAM_DIRECTORY}/[0-9a-f]{{64}}/')
"""The start of a frame in a module of an archive or wheel, whose author knows the rest of the path."""


def describe_record(uri: str, unit: str, key: object, value: object) -> str:
    """Return the record for a message: its object, place in it (`unit` and `key`) and text, cut at 1 KiB."""
    return f"{uri} at {unit} {show(key) if type(key) is not str else cut(key)}: {cut(show(value, sys.maxsize))}"


def describe_key(key: object) -> str:
    """Return the key of a reduce or combine call, for a message."""
    return f"key {cut(show(key, sys.maxsize))}"


def cut(text: str) -> str:
    """Return `text`, cut at `RECORD_LENGTH`."""
    return text if len(text) <= RECORD_LENGTH else f"{text[:RECORD_LENGTH]}… ({render_count(len(text), 'character')})"


def raise_blamed(error: BaseException, record: str, kind: type[ProgramError] = ProgramError) -> NoReturn:
    """Raise what `error` means; it was raised by a call into the program for `record`. `kind`: when it was called.

    Errors of podreduce are passed on (a ProgramError gets the record and the user's frames), and so are MemoryError and
    interrupts. An error of podreduce's own code below a call of the program (reading values, for example) is our bug.

    Raises:
        ProgramError: the program is at fault.
        InternalError: podreduce is at fault.
    """
    if isinstance(error, ProgramError):
        error.record = error.record or record
        if is_of_context(error.__traceback__):
            error.user_traceback = error.user_traceback or format_user_traceback(error)
        raise error
    if isinstance(error, PodreduceError | MemoryError | KeyboardInterrupt):
        raise error
    if isinstance(error, UnsupportedTypeError):
        raise ProgramError(f"{error}", record=record) from None
    message = show_error(error)
    if not is_users(error.__traceback__):
        raise InternalError(f"{message}; please report this with the log") from error
    if kind is SetupFailedError:
        kind = kind_of_setup(error)
    raise kind(message, user_traceback=format_user_traceback(error), record=record) from error


def kind_of_setup(error: BaseException) -> type[ProgramError]:
    """Return what an error before the first record is: what the text or the image lacks, no other attempt will have."""
    return ProgramInvalidError if isinstance(error, SyntaxError | ModuleNotFoundError) else SetupFailedError


def is_users(trace: TracebackType | None) -> bool:
    """Tell whether the last of podreduce's frames in `trace` is a call into the program.

    There may be no frame after it: what the program returned may be written in C, as `map(int, words)` is.
    """
    own = [
        name for frame, _ in traceback.walk_tb(trace) if (name := frame.f_code.co_filename).startswith(OWN_DIRECTORY)
    ]
    return not own or own[-1] in CALLERS


def is_of_context(trace: TracebackType | None) -> bool:
    """Tell whether the program called a method of its context, and that raised.

    What a program yields is refused with the same words and the same place, whether it was rewritten or not: a
    generator is not running then, and has no frame.
    """
    names = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)]
    return any(not is_hidden(name) and after == CONTEXT_FILE for name, after in pairwise(names))


def format_user_traceback(error: BaseException) -> str:
    """Return the traceback of `error` and of its causes, without the frames of podreduce."""
    formatted = traceback.TracebackException.from_exception(error, compact=True)
    links = [formatted]
    for link in links:
        link.stack[:] = [frame for frame in link.stack if not is_hidden(frame.filename)]
        links += [cause for cause in (link.__cause__, link.__context__) if cause is not None]
    return UNPACKED.sub('File "', "".join(formatted.format()))


def is_hidden(filename: str) -> bool:
    """Tell whether a frame of `filename` is useless to the user: podreduce's own, or Python's import machinery."""
    return filename.startswith((OWN_DIRECTORY, "<frozen importlib"))
