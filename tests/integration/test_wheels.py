"""Requirements become wheels: by pip alone, from a directory of wheels, so that no registry is asked."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from podreduce.contract.own_versions import own_versions
from podreduce_operator.cli import wheels
from podreduce_operator.cli.wheels import Image, RequirementsError, download_wheels, own_image

ROOT = Path(__file__).parents[2]
IMAGE = Image(python="3.13", architecture="x86_64")


def make_wheel(
    directory: Path,
    name: str,
    *,
    tag: str = "py3-none-any",
    requires: str = "",
    files: Mapping[str, str] = MappingProxyType({}),
) -> None:
    distribution, _, version = name.partition("-")
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    info = f"{name}.dist-info"
    with zipfile.ZipFile(directory / f"{name}-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A directory of wheels, as --find-links takes it."""
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


def resolve(shelf: Path, text: str, image: Image = IMAGE) -> list[str]:
    requirements, target = shelf.parent / "requirements.txt", shelf.parent / "target"
    requirements.write_text(f"--no-index\n--find-links {shelf}\n{text}\n")
    target.mkdir()
    return [each.name for each in download_wheels(requirements, image, target)]


def test_requirements_and_what_they_need_are_resolved(shelf: Path) -> None:
    make_wheel(shelf, "outer-1.0", requires="inner>=1")
    make_wheel(shelf, "inner-1.5")
    make_wheel(shelf, "unused-1.0")
    assert resolve(shelf, "outer==1.0") == ["inner-1.5-py3-none-any.whl", "outer-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    "tag", ["cp313-cp313-manylinux_2_17_x86_64", "cp39-abi3-manylinux2014_x86_64", "py2.py3-none-any"]
)
def test_wheels_are_chosen_for_the_image_and_not_for_this_machine(shelf: Path, tag: str) -> None:
    make_wheel(shelf, "fast-1.0", tag=tag)
    make_wheel(shelf, "fast-2.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(shelf, "fast-3.0", tag="cp313-cp313-win_amd64")
    make_wheel(shelf, "fast-4.0", tag="cp313-cp313-manylinux_2_17_aarch64")
    assert resolve(shelf, "fast") == [f"fast-1.0-{tag}.whl"]


def test_what_tasks_themselves_need_stays_the_images(shelf: Path) -> None:
    make_wheel(shelf, f"numpy-{own_versions()['numpy']}")
    make_wheel(shelf, "outer-1.0", requires="numpy>=1")
    assert resolve(shelf, "outer") == ["outer-1.0-py3-none-any.whl"]


def test_a_requirement_that_tasks_cannot_meet_is_an_error(shelf: Path) -> None:
    make_wheel(shelf, "outer-1.0", requires="numpy<1")
    with pytest.raises(RequirementsError, match=r"(?s)no wheels that fit together for CPython 3.13.*numpy<1"):
        resolve(shelf, "outer")


def test_a_missing_wheel_is_an_error_that_says_what_to_do(shelf: Path) -> None:
    with pytest.raises(RequirementsError, match=r"(?s)requirements.txt: .*gone==1.*pip wheel"):
        resolve(shelf, "gone==1")


def test_podreduce_itself_is_left_out(shelf: Path) -> None:
    with pytest.raises(RequirementsError, match=r"requirements.txt:3: leave podreduce out"):
        resolve(shelf, "podreduce[cli]>=0.1")


@pytest.mark.parametrize("version", ["3", "2.7", "python3.13", "3.13.1"])
def test_what_is_no_version_of_python_is_refused(version: str) -> None:
    with pytest.raises(RequirementsError, match="give the image's version"):
        own_image(version)


def test_the_processor_has_the_name_that_wheels_use() -> None:
    assert [own_image(architecture=name).architecture for name in ("amd64", "arm64", "s390x")] == [
        "x86_64",
        "aarch64",
        "s390x",
    ]


def test_the_images_python_is_the_dockerfiles() -> None:
    assert f"ARG BASE=python:{wheels.IMAGE_PYTHON}-slim\n" in (ROOT / "Dockerfile").read_text()
