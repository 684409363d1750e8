import pytest

from podreduce_operator.cli.cluster.log_lines import render_log

LINES = [
    "hello from the program",
    '{"event": "progress", "level": "info", "attempt": "a-0", "records": 7, "bytes": 9}',
    '{"event": "committed", "level": "info", "attempt": "a-0", "timestamp": "2026-01-02T03:04:05.6Z", "records": 7}',
    '{"city": "Oslo"}',
    "{broken",
    "",
]


def test_the_programs_lines_stay_and_podreduces_own_are_readable() -> None:
    assert list(render_log("\n".join(LINES), is_raw=False)) == [
        "hello from the program",
        "03:04:05 info    committed records=7",
        '{"city": "Oslo"}',
        "{broken",
    ]


def test_raw_lines_are_as_they_were_written() -> None:
    assert list(render_log("\n".join(LINES), is_raw=True)) == LINES[:-1]


@pytest.mark.parametrize("line", ["[]", "{}", "null", '{"event": 1, "level": "info"}', '{"event": "x"}'])
def test_json_that_a_program_prints_is_the_programs(line: str) -> None:
    assert list(render_log(line, is_raw=False)) == [line]
