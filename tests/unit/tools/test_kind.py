"""What is pure in bringing Docker and kind up: settings, names, layers, comparisons."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import harness, network
from tests.cluster.build import Tool, pins_digest
from tests.cluster.image_archive import Image, image_of_one_layer
from tests.cluster.kind import configuration, footprint, node_base, node_images, places, tools
from tests.cluster.kind.base_image import name_in_dockerfile
from tests.cluster.kind.footprint import Footprint


def make_footprint(**found: frozenset[str] | dict[str, str]) -> Footprint:
    nothing = dict.fromkeys(("processes", "mounts", "namespaces", "groups", "links", "directories"), frozenset())
    return Footprint(**{**nothing, "sysctls": {}, **found})


def make_image(reference: str, directory: Path) -> Image:
    layer = directory / "layer.tar"
    layer.write_bytes(b"")
    return image_of_one_layer(reference, layer=layer, configuration={})


def test_nothing_changed_leaves_nothing_to_say() -> None:
    same = make_footprint(mounts=frozenset({"/", "/proc"}), sysctls={"vm/swappiness": "60"})
    assert footprint.changes(same, same) == []


def test_what_came_and_went_and_was_set_is_named_but_not_a_process_that_ended() -> None:
    before = make_footprint(
        processes=frozenset({"1 init", "7 sh"}),
        mounts=frozenset({"/", "/old"}),
        groups=frozenset({"pids/session-7"}),
        sysctls={"kernel/panic": "0"},
    )
    after = make_footprint(
        processes=frozenset({"1 init", "8 sh"}),
        mounts=frozenset({"/", "/new"}),
        sysctls={"kernel/panic": "10", "vm/other": "1"},
    )
    assert footprint.changes(before, after) == [
        "processes: 8 sh",
        "mounts: /new",
        "mounts: /old is gone",
        "sysctls: kernel/panic was '0' and is '10'",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kernel/panic", True),
        ("net/ipv4/ip_forward", True),
        ("net/ipv4/conf/all/rp_filter", True),
        ("net/ipv4/conf/eth0/rp_filter", False),
        ("net/ipv6/neigh/veth1/retrans_time", False),
        ("kernel/ns_last_pid", False),
        ("kernel/random/uuid", False),
    ],
)
def test_a_setting_lasts_and_is_not_of_one_interface(name: str, expected: bool) -> None:
    assert footprint.is_setting(name) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("net.ipv4.conf.all.rp_filter=1\n", True),
        ("# kernel.panic = 1\n-net.ipv4.conf.all.arp_ignore = 0\n", True),
        ("kernel.pid_max = 4194304\n", False),
        ("net.ipv4.ip_forward=1\nfs.protected_hardlinks = 1\n", False),
    ],
)
def test_a_node_sets_only_sysctls_of_its_own_network(settings: str, expected: bool) -> None:
    assert node_base.sets_only_network(settings) == expected


def test_harness_and_kind_share_no_range_and_no_name() -> None:
    assert {places.POD_SUBNET, places.SERVICE_SUBNET}.isdisjoint({network.CLUSTER_SUBNET, network.SERVICE_SUBNET})
    assert not places.CGROUP.startswith("podreduce-")
    assert {places.STATE, places.DATA}.isdisjoint({harness.STATE, harness.DATA})


def test_an_oci_specification_gets_the_hook_and_loses_its_limits() -> None:
    changed = node_base.with_product_hook({"ociVersion": "1", "process": {"cwd": "/", "rlimits": [1]}})
    assert changed == {
        "ociVersion": "1",
        "process": {"cwd": "/"},
        "hooks": {"createContainer": [{"path": "/kind/bin/mount-product-files.sh"}]},
    }


def test_the_library_paths_are_read_from_what_ldd_prints() -> None:
    printed = "\tlinux-vdso.so.1 (0x0)\n\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\t/lib64/ld-linux.so.2 (0x2)\n"
    assert node_images.libraries(printed) == ["/lib/libc.so.6", "/lib64/ld-linux.so.2"]


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("registry.k8s.io/kube-proxy:v1.37.2", "/usr/local/bin/kube-proxy"),
        ("registry.k8s.io/coredns/coredns:v1.14.3", "/coredns"),
        ("docker.io/kindest/local-path-provisioner:v1", "/usr/local/bin/local-path-provisioner"),
        ("docker.io/minio/minio:RELEASE", "/minio"),
        ("registry.k8s.io/pause:3.10", "/pause"),
    ],
)
def test_an_image_holds_the_program_that_its_name_ends_with(reference: str, place: str) -> None:
    assert list(node_images.contents_of(reference).programs) == [place]


def test_kube_proxy_brings_the_program_that_it_calls() -> None:
    borrowed = node_images.contents_of("registry.k8s.io/kube-proxy:v1").borrowed
    assert borrowed == {"/usr/sbin/nft": "usr/sbin/nft"}


def test_images_that_kind_has_no_archive_for_go_with_the_api_server(tmp_path: Path) -> None:
    names = ("registry.k8s.io/kube-apiserver:v1", "registry.k8s.io/kube-proxy:v1", "registry.k8s.io/etcd:3")
    split = node_images.split([make_image(name, tmp_path) for name in names])
    assert {name: [image.reference for image in held] for name, held in split.items() if held} == {
        "kube-apiserver": [names[0], names[2]],
        "kube-proxy": [names[1]],
    }


def test_names_are_listed_by_repository_and_tag(tmp_path: Path) -> None:
    image = make_image("registry.k8s.io/etcd:3.7.3-0", tmp_path)
    (digest,) = image.configuration["rootfs"]["diff_ids"]
    assert node_images.repositories([image]) == {"registry.k8s.io/etcd": {"3.7.3-0": digest.removeprefix("sha256:")}}


def test_the_charts_minio_has_its_full_name() -> None:
    assert node_images.name_in_chart().startswith("docker.io/minio/minio:RELEASE.")


def test_the_dockerfile_names_its_base() -> None:
    assert name_in_dockerfile() == "python:3.13-slim"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["create", "cluster", "--wait=1s"], f"create cluster --wait=1s --config={tools.CONFIGURATION}"),
        (["create", "cluster"], f"create cluster --config={tools.CONFIGURATION}"),
        (["get", "clusters"], "get clusters"),
        (["load", "docker-image", "a:1", "b:1"], "load docker-image a:1 b:1"),
    ],
)
def test_only_a_new_cluster_is_told_of_our_configuration(arguments: list[str], expected: str, tmp_path: Path) -> None:
    kind = tmp_path / "kind"
    kind.write_text('#!/bin/sh\necho "$@"\n')
    kind.chmod(0o755)
    script = tools.kind_with_configuration(kind)
    ran = subprocess.run(["sh", "-c", script, "kind", *arguments], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == expected


def test_only_a_tool_with_compiler_flags_is_named_by_them() -> None:
    plain = Tool(name="kind", programs={})
    flagged = replace(plain, compiler_flags="all=-N")
    assert repr(plain) == repr(flagged)
    assert pins_digest(plain) != pins_digest(flagged)


def test_the_engines_settings_name_only_places_of_its_own() -> None:
    settings = configuration.engine_settings()
    assert settings["data-root"] == str(tools.data_root())
    assert settings["cgroup-parent"] == f"/{places.CGROUP}"


def test_the_clusters_settings_hold_what_cgroup_v1_needs() -> None:
    settings = configuration.cluster_settings()
    (patch,) = settings["kubeadmConfigPatches"]
    assert json.loads(patch)["failCgroupV1"] is False
    assert "restrict_oom_score_adj = true" in configuration.CONTAINERD_PATCH
