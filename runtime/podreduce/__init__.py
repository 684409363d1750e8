"""The part of podreduce that runs inside every task: read a shard, map, shuffle, reduce, commit.

Rule: synchronous, and never imports the operator. A job's author imports nothing from here: a job is a plain class.
`podreduce.run`, for scripts and notebooks, is not of this package: the name is looked up in the command line's package
when somebody asks for it, which no task does.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podreduce_operator.cli.python_run import JobFailedError, Result, run

__all__ = ["JobFailedError", "Result", "__version__", "run"]

__version__ = "0.1.0"

LOCAL_ENGINE = "podreduce_operator.cli.python_run"
"""The module that has the names below. A task's image has no packages for it."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    """Return what belongs to the local engine.

    Raises:
        AttributeError: there is no such name.
        ModuleNotFoundError: the packages of the local engine are not installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(LOCAL_ENGINE), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"podreduce.{name} needs {error.name}: pip install 'podreduce[cli]'", name=error.name
        ) from error
