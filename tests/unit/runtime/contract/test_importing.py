"""Optional packages can be hidden from an import."""

import sys

import pytest

from podreduce.contract.importing import without


def test_a_package_is_hidden_while_something_is_imported() -> None:
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ModuleNotFoundError):
        import this  # noqa: F401, PLC0415
    assert "this" not in sys.modules


def test_it_is_found_again_also_after_an_error() -> None:
    sys.modules.pop("colorsys", None)
    with pytest.raises(ZeroDivisionError), without("colorsys"):
        raise ZeroDivisionError
    import colorsys  # noqa: PLC0415

    assert colorsys.rgb_to_yiq(0, 0, 0) == (0, 0, 0)


def test_what_is_imported_already_stays() -> None:
    with without("json"):
        import json  # noqa: PLC0415

        assert json.loads("1") == 1
    assert sys.modules["json"] is json
