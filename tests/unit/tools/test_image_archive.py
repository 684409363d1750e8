"""Image archives of the test cluster."""

import json
import tarfile
from pathlib import Path

from tests.cluster.image_archive import (
    image_of_one_layer,
    layer_of_directory,
    layer_of_programs,
    unpack_archive,
    with_last_layer,
    write_archive,
)
from tests.cluster.image_import import write_layout


def make_layer(directory: Path, name: str, content: str) -> Path:
    source = directory / f"{name}-source"
    source.mkdir()
    (source / "file").write_text(content)
    layer_of_directory(source, "/opt/place", directory / f"{name}.tar")
    return directory / f"{name}.tar"


def test_an_unpacked_archive_gives_the_image_that_was_written(tmp_path: Path) -> None:
    image = image_of_one_layer("localhost/x:test", layer=make_layer(tmp_path, "a", "1"), configuration={"User": "1"})
    write_archive([image], tmp_path / "x.tar")
    found = unpack_archive(tmp_path / "x.tar", tmp_path / "unpacked")
    assert (found.reference, found.configuration) == (image.reference, image.configuration)
    assert found.layers[0].read_bytes() == image.layers[0].read_bytes()


def test_a_layer_that_two_images_share_is_written_once(tmp_path: Path) -> None:
    layer = make_layer(tmp_path, "a", "1")
    images = [image_of_one_layer(f"localhost/{name}:test", layer=layer, configuration={"User": name}) for name in "xy"]
    write_archive(images, tmp_path / "both.tar")
    with tarfile.open(tmp_path / "both.tar") as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json") or tmp_path.open())
    assert len([name for name in names if name.endswith(".tar")]) == 1
    assert [entry["RepoTags"] for entry in manifest] == [["localhost/x:test"], ["localhost/y:test"]]


def test_another_last_layer_changes_the_image_and_nothing_below(tmp_path: Path) -> None:
    image = image_of_one_layer("localhost/x:test", layer=make_layer(tmp_path, "a", "1"), configuration={"User": "1"})
    changed = with_last_layer(image, make_layer(tmp_path, "b", "2"))
    assert changed.configuration["rootfs"]["diff_ids"] != image.configuration["rootfs"]["diff_ids"]
    assert changed.configuration["config"] == image.configuration["config"]


def test_a_directory_makes_the_same_layer_whoever_owns_it_and_whenever(tmp_path: Path) -> None:
    assert make_layer(tmp_path, "a", "1").read_bytes() == make_layer(tmp_path, "b", "1").read_bytes()


def test_programs_are_executable_in_their_layer(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("x")
    layer_of_programs({"/bin/program": tmp_path / "program"}, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert {entry.name: oct(entry.mode) for entry in layer} == {
            "tmp": "0o1777",
            "data": "0o1777",
            "bin/program": "0o755",
        }


def test_a_containerd_is_given_only_the_layers_that_it_lacks(tmp_path: Path) -> None:
    known, new = make_layer(tmp_path, "a", "1"), make_layer(tmp_path, "b", "2")
    first = image_of_one_layer("localhost/x:test", layer=known, configuration={})
    second = image_of_one_layer("localhost/y:test", layer=new, configuration={})
    write_archive([first, second, second], tmp_path / "both.tar")
    with tarfile.open(tmp_path / "both.tar") as source, (tmp_path / "layout.tar").open("wb") as target:
        write_layout(source, target, {first.configuration["rootfs"]["diff_ids"][0]})
    with tarfile.open(tmp_path / "layout.tar") as layout:
        blobs = {name.removeprefix("blobs/sha256/") for name in layout.getnames()}
        index = json.load(layout.extractfile("index.json") or tmp_path.open())
    assert second.configuration["rootfs"]["diff_ids"][0].removeprefix("sha256:") in blobs
    assert first.configuration["rootfs"]["diff_ids"][0].removeprefix("sha256:") not in blobs
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert names == ["localhost/x:test", "localhost/y:test", "localhost/y:test"]
