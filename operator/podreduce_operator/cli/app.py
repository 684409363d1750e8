"""The `podreduce` command: its commands, or what to install for them."""

import sys

__all__ = ["main"]


def main() -> None:
    """Be the command."""
    try:
        from podreduce_operator.cli.commands import app  # noqa: PLC0415 - a task's image has no typer
    except ModuleNotFoundError as error:
        sys.exit(f"podreduce: {error.name} is missing: pip install 'podreduce[cli]' for the command line")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
