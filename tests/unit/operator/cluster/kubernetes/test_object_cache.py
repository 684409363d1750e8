from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache


class Recorder:
    """Keeps what the cache tells, as `+uid`, `~uid`, `-uid`."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.cache: ObjectCache[str] = ObjectCache(parse, self.on_change)

    def on_change(self, old: str | None, new: str | None) -> None:
        sign = "+" if old is None else "-" if new is None else "~"
        self.changes.append(f"{sign}{new or old}")

    def relist(self, *manifests: dict[str, Any], version: int) -> None:
        self.cache.finish_listing(self.cache.take_page(manifests), version)

    def event(self, kind: str, uid: str, version: int) -> None:
        self.cache.apply({"type": kind, "object": make(uid, version)})

    def take(self) -> list[str]:
        changes, self.changes = self.changes, []
        return changes


def make(uid: str, version: int, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version), **metadata}}


def parse(manifest: Mapping[str, Any]) -> str | None:
    metadata = manifest["metadata"]
    if metadata.get("odd"):
        raise RecursionError
    return None if metadata.get("foreign") else str(metadata["uid"])


def test_a_listing_brings_what_is_new_and_drops_what_is_gone() -> None:
    recorder = Recorder()
    recorder.relist(make("a", 1), make("b", 2), version=5)
    assert recorder.take() == ["+a", "+b"]
    recorder.relist(make("b", 2), make("c", 7), version=9)
    assert recorder.take() == ["+c", "-a"]
    assert recorder.cache.version == 9


def test_an_unchanged_listing_says_nothing() -> None:
    recorder = Recorder()
    recorder.relist(make("a", 1), version=5)
    recorder.take()
    recorder.relist(make("a", 1), version=6)
    assert recorder.take() == []


def test_events_add_change_and_drop() -> None:
    recorder = Recorder()
    recorder.event("ADDED", "a", 1)
    recorder.event("MODIFIED", "a", 2)
    recorder.event("DELETED", "a", 3)
    assert recorder.take() == ["+a", "~a", "-a"]


def test_an_old_event_is_ignored() -> None:
    recorder = Recorder()
    recorder.event("ADDED", "a", 5)
    recorder.event("MODIFIED", "a", 4)
    assert recorder.take() == ["+a"]


def test_a_bookmark_moves_the_version_only() -> None:
    recorder = Recorder()
    recorder.cache.apply({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "42"}}})
    assert (recorder.take(), recorder.cache.version) == ([], 42)


def test_a_write_of_ours_is_seen_before_the_watch_shows_it() -> None:
    recorder = Recorder()
    recorder.relist(version=5)
    recorder.cache.remember(make("a", 6))
    recorder.event("ADDED", "a", 6)
    assert recorder.take() == ["+a"]


def test_a_write_of_ours_survives_a_listing_made_before_it() -> None:
    recorder = Recorder()
    recorder.cache.remember(make("a", 6))
    recorder.relist(version=5)
    assert recorder.take() == ["+a"]
    recorder.relist(version=7)
    assert recorder.take() == ["-a"]


def test_a_write_whose_object_the_watch_saw_die_stays_dead() -> None:
    recorder = Recorder()
    recorder.event("ADDED", "a", 6)
    recorder.event("DELETED", "a", 7)
    recorder.take()
    recorder.cache.remember(make("a", 6))
    assert recorder.take() == []


def test_an_object_that_is_no_longer_ours_is_dropped() -> None:
    recorder = Recorder()
    recorder.event("ADDED", "a", 1)
    recorder.cache.apply({"type": "MODIFIED", "object": make("a", 2, foreign=True)})
    assert recorder.take() == ["+a", "-a"]


KINDS = st.sampled_from(["create", "change", "delete"])


@given(steps=st.lists(st.tuples(KINDS, st.sampled_from("abcd")), max_size=40), seed=st.randoms(use_true_random=False))
def test_whatever_is_missed_a_listing_makes_it_right(steps: list[tuple[str, str]], seed: Any) -> None:
    recorder, world, version = Recorder(), dict[str, int](), 0
    for kind, uid in steps:
        version += 1
        if kind == "delete":
            if world.pop(uid, None) is None:
                continue
            event = "DELETED"
        else:
            event = "MODIFIED" if uid in world else "ADDED"
            world[uid] = version
        if seed.random() < 0.5:
            recorder.event(event, uid, version)
        elif event == "ADDED" and seed.random() < 0.5:
            recorder.cache.remember(make(uid, version))
    recorder.relist(*(make(uid, at) for uid, at in world.items()), version=version)
    balance = dict.fromkeys("abcd", 0)
    for change in recorder.changes:
        balance[change[1]] += {"+": 1, "-": -1, "~": 0}[change[0]]
    assert {uid for uid, count in balance.items() if count} == set(world)
    assert len(recorder.cache) == len(world)


def test_what_cannot_be_parsed_is_left_out_and_hides_no_other() -> None:
    recorder = Recorder()
    recorder.relist(make("a", 1), make("odd", 2, odd=True), make("b", 3), version=3)
    assert recorder.take() == ["+a", "+b"]
    recorder.cache.apply({"type": "MODIFIED", "object": make("a", 4, odd=True)})
    assert recorder.take() == ["-a"]
    assert recorder.cache.version == 4
