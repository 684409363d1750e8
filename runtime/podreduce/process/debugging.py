"""Opens a debugger where the program failed, as `pdb` in a terminal.

Rule: for replays only. The debugger stands in the program's last frame, and not in podreduce's, which called it.
"""

import pdb  # noqa: T100 - a person has asked for it
from collections.abc import Callable, Iterator
from types import TracebackType

from podreduce.program.tracebacks import is_hidden, is_of_context, is_users

__all__ = ["debug", "find_program_trace"]

MACHINERY = "<frozen importlib"
"""Python's own frames below a failed import."""


def debug(error: BaseException) -> None:
    """Open the debugger at the program's last line, or else where podreduce raised the error."""
    trace = find_program_trace(error) or error.__traceback__
    pdb.post_mortem(trace)


def find_program_trace(error: BaseException) -> TracebackType | None:
    """Return the traceback of the program's own error, up to its last frame; None if the program raised none.

    The frames of podreduce that called the program are kept, and so are those of libraries that it called.
    """
    link: BaseException | None = error
    while link is not None:
        trace = link.__traceback__
        frames = drop_last(list(iter_trace(trace)), lambda name: name.startswith(MACHINERY))
        if is_of_context(trace):
            return chain(drop_last(frames, is_hidden))
        if frames and is_users(trace) and not is_hidden(file_of(frames[-1])):
            return chain(frames)
        link = link.__cause__ or link.__context__
    return None


def drop_last(frames: list[TracebackType], is_dropped: Callable[[str], bool]) -> list[TracebackType]:
    """Return the frames without those at the end that are in such files."""
    while frames and is_dropped(file_of(frames[-1])):
        frames = frames[:-1]
    return frames


def file_of(trace: TracebackType) -> str:
    """Return the file of a frame."""
    return trace.tb_frame.f_code.co_filename


def iter_trace(trace: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the traceback of each frame, the outermost first."""
    while trace is not None:
        yield trace
        trace = trace.tb_next


def chain(frames: list[TracebackType]) -> TracebackType | None:
    """Return a traceback of these frames alone."""
    following: TracebackType | None = None
    for each in reversed(frames):
        following = TracebackType(following, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return following
