"""Values inside of a page's script stay values, whatever they contain."""

import json

import pytest

from podreduce_apps.report_page import json_for_script


@pytest.mark.parametrize("name", ["</script>", "<!--<script>", "<b>", "Zoë & \u2028 \U0001f600", '"quoted"'])
def test_json_in_a_script_ends_no_script_and_is_read_as_it_was(name: str) -> None:
    text = json_for_script([{"name": name}])

    assert "<" not in text
    assert json.loads(text) == [{"name": name}]
