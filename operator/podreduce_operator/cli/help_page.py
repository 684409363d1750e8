"""How a command's help looks on a terminal of any width. Rule: it changes what is shown, never what is parsed.

Typer keeps the line ends of a docstring, so that text breaks twice in a narrow terminal, and it shows `<bool>` behind
an option that takes no value.
"""

import re
from typing import Any

from typer.core import TyperGroup, TyperOption

__all__ = ["hide_type", "join_lines", "tidy"]


def tidy(group: TyperGroup) -> None:
    """Make the help of a group and of all its commands read well."""
    for command in (group, *group.commands.values()):
        command.help = join_lines(command.help or "")
        for each in command.params:
            hide_type(each)
        tidy_help_option(command)
        if isinstance(command, TyperGroup) and command is not group:
            tidy(command)


def hide_type(parameter: object) -> None:
    """Show no type behind an option that takes no value."""
    if isinstance(parameter, TyperOption) and parameter.is_flag and parameter.metavar is None:
        parameter.metavar = ""


def tidy_help_option(command: Any) -> None:  # noqa: ANN401 - typer's own command
    """Do the same for `--help`, which a command makes when it is first asked for it."""
    made = command.get_help_option

    def get_help_option(context: Any) -> Any:  # noqa: ANN401 - typer's own context and option
        option = made(context)
        hide_type(option)
        return option

    command.get_help_option = get_help_option


def join_lines(text: str) -> str:
    """Return a text with each paragraph on one line."""
    return re.sub(r"(?<!\n)\n(?!\n)[ \t]*", " ", text.strip())
