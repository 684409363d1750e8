"""docs/cli.md: the commands for a cluster."""

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from docs.generator.tables import table
from podreduce_operator.cli import commands
from podreduce_operator.cli.cluster.commands import COMMANDS


def list_commands() -> str:
    """Return the commands for a cluster, with the options that not all of them have."""
    found = get_command(commands.app)
    known = found.commands.values() if isinstance(found, TyperGroup) else ()
    shown = [each for each in known if isinstance(each, TyperCommand) and each.name in COMMANDS]
    return table(("command", "what it does"), *map(describe_command, shown))


def describe_command(command: TyperCommand) -> tuple[str, str]:
    """Return a command with its arguments and its own options, and the first paragraph of its help."""
    own = [each for each in command.params if each.name not in {"namespace", "context_name", "kubeconfig"}]
    words = [f"{each.metavar}" if each.param_type_name == "argument" else f"[{each.opts[0]}]" for each in own]
    return f"`{' '.join([str(command.name), *words])}`", " ".join(str(command.help).split("\n\n")[0].split())
