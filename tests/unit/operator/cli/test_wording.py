"""What an output has, in words: records, files, or both."""

from collections.abc import Mapping

import pytest

from podreduce_operator.cli.wording import render_counts, render_output


@pytest.mark.parametrize(
    ("written", "counts", "whole"),
    [
        pytest.param({"records": 1042, "bytes": 3584}, "1,042 records", "1,042 records, 3.5 KiB", id="records"),
        pytest.param({"records": 0, "bytes": 0, "files": 3}, "3 files", "3 files", id="files alone"),
        pytest.param(
            {"records": 1, "bytes": 12, "files": 1}, "1 file and 1 record", "1 file and 1 record, 12 B", id="both"
        ),
        pytest.param({"records": 0, "bytes": 0}, "0 records", "0 records", id="nothing"),
        pytest.param({}, "0 records", "0 records", id="nothing that the status knows"),
    ],
)
def test_an_output_is_told_by_what_it_has(written: Mapping[str, int], counts: str, whole: str) -> None:
    assert (render_counts(written), render_output(written)) == (counts, whole)
