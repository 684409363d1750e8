import pytest
import typer
from typer.testing import CliRunner

from podreduce_operator.cli.commands import app
from podreduce_operator.cli.help_page import join_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("One line.", "One line."),
        (
            "A line\n    that goes on.\n\nA paragraph,\nand its end.\n",
            "A line that goes on.\n\nA paragraph, and its end.",
        ),
    ],
)
def test_a_paragraph_is_one_line(text: str, expected: str) -> None:
    assert join_lines(text) == expected


@pytest.mark.parametrize("words", [["run"], ["submit"], ["status"], ["app", "run"], []], ids=" ".join)
def test_no_help_shows_a_type_behind_an_option_without_a_value(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="podreduce").stdout
    assert "--help" in shown
    assert "<bool>" not in shown


def test_every_paragraph_of_a_commands_help_is_one_line() -> None:
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        assert all("\n" not in paragraph for paragraph in (command.help or "").split("\n\n")), name
