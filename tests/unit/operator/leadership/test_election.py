import heapq
import math
import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

import pytest

from podreduce_operator.leadership.election import Election, Standing
from podreduce_operator.leadership.lease import Lease
from podreduce_operator.leadership.lease_settings import LeaseSettings

ME, OTHER = "pod-a_1", "pod-b_1"
SETTINGS = LeaseSettings(name="podreduce", namespace="system", pod="pod-a")
NOON, LATER = "2026-01-01T12:00:00.000000Z", "2026-01-01T12:00:02.000000Z"


def make_election(identity: str = ME, **settings: object) -> Election:
    return Election(identity=identity, settings=replace(SETTINGS, **settings))


def make_lease(holder: str = OTHER, *, version: str = "7", duration_seconds: int = 15, transitions: int = 3) -> Lease:
    return Lease(
        holder=holder,
        duration_seconds=duration_seconds,
        acquired=NOON,
        renewed=NOON,
        transitions=transitions,
        version=version,
    )


def leading(started: float = 100.0) -> Election:
    return make_election().observe(make_lease(""), started).win(make_lease(ME, version="8"), started)


@pytest.mark.parametrize(
    ("holder", "is_free"),
    [
        ("", True),
        (ME, True),
        ("pod-a_0", True),
        (OTHER, False),
        ("pod-a", False),
        ("pod-ab_1", False),
    ],
    ids=["released", "own", "own-pods-last-process", "another", "no-process-of-our-pod", "longer-name"],
)
def test_who_holds_the_lease_decides_whether_it_is_free_at_once(holder: str, is_free: bool) -> None:
    assert make_election().observe(make_lease(holder), 0.0).is_free(0.0) == is_free


def test_outside_of_a_pod_no_earlier_process_is_known() -> None:
    assert not make_election("host_2", pod="").observe(make_lease("host_1"), 0.0).is_free(0.0)
    assert not make_election("host_2", pod="").observe(make_lease("_1"), 0.0).is_free(0.0)


@pytest.mark.parametrize(
    ("looks", "now", "is_free"),
    [
        ([(0.0, "7")], 14.9, False),
        ([(0.0, "7")], 15.0, True),
        ([(0.0, "7"), (14.0, "7")], 15.0, True),
        ([(0.0, "7"), (14.0, "8")], 15.0, False),
        ([(0.0, "7"), (14.0, "8")], 29.0, True),
        ([(0.0, "7"), (14.0, None)], 14.5, False),
        ([(0.0, "7"), (14.0, None)], 15.0, True),
        ([(0.0, None)], 0.0, True),
    ],
    ids=[
        "not-yet",
        "unchanged-for-its-duration",
        "seen-again-unchanged",
        "renewed",
        "not-renewed-again",
        "vanished",
        "vanished-and-expired",
        "never-there",
    ],
)
def test_a_lease_expires_when_it_has_not_changed_for_its_duration(
    looks: list[tuple[float, str | None]], now: float, is_free: bool
) -> None:
    election = make_election()
    for at, version in looks:
        election = election.observe(None if version is None else make_lease(version=version), at)
    assert election.is_free(now) == is_free
    assert (election.claim(now, LATER) is not None) == is_free


def test_the_holders_own_duration_counts_not_ours() -> None:
    election = make_election().observe(make_lease(duration_seconds=60), 0.0)
    assert not election.is_free(59.0)
    assert election.is_free(60.0)


def test_nothing_is_claimed_before_the_lease_was_seen() -> None:
    assert make_election().claim(1e9, NOON) is None
    assert make_election().must_read


@pytest.mark.parametrize(
    ("seen", "acquired", "transitions", "version"),
    [
        (None, LATER, 0, ""),
        (make_lease(""), LATER, 4, "7"),
        (make_lease("pod-a_0"), LATER, 4, "7"),
        (make_lease(ME), NOON, 3, "7"),
    ],
    ids=["created", "taken", "taken-from-the-last-process", "renewed"],
)
def test_a_claim_says_who_since_when_and_upon_which_version(
    seen: Lease | None, acquired: str, transitions: int, version: str
) -> None:
    claimed = make_election().observe(seen, 5.0).claim(5.0, LATER)
    assert claimed == Lease(
        holder=ME,
        duration_seconds=15,
        acquired=acquired,
        renewed=LATER,
        transitions=transitions,
        version=version,
    )


def test_a_lease_that_vanished_is_created_and_not_patched() -> None:
    claimed = make_election().observe(make_lease(), 0.0).observe(None, 1.0).claim(15.0, LATER)
    assert claimed is not None
    assert claimed.version == ""


def test_the_deadline_counts_from_the_start_of_the_last_renewal() -> None:
    election = leading(100.0)
    assert election.deadline == 110.0
    assert election.win(make_lease(ME, version="9"), 102.0).deadline == 112.0
    assert make_election().deadline == -math.inf


def test_a_holder_renews_what_it_wrote_and_looks_first_after_a_failure() -> None:
    assert not leading().must_read
    failed = leading().fail()
    assert failed.must_read
    assert failed.deadline == 110.0, "a failure neither moves the deadline nor gives it up"
    assert not failed.observe(make_lease(ME, version="9"), 103.0).must_read


def test_a_renewal_whose_answer_was_lost_is_made_upon_the_new_version() -> None:
    renewed = leading().fail().observe(make_lease(ME, version="9"), 103.0).claim(103.0, LATER)
    assert renewed is not None
    assert (renewed.holder, renewed.version) == (ME, "9")


@pytest.mark.parametrize(
    ("holder", "rival"),
    [(OTHER, OTHER), ("pod-a_2", "pod-a_2"), (ME, None), ("", None)],
    ids=["another", "another-process-of-its-pod", "itself", "nobody"],
)
def test_a_holder_that_sees_another_has_lost(holder: str, rival: str | None) -> None:
    assert leading().fail().observe(make_lease(holder, version="9"), 103.0).rival == rival


def test_a_candidate_has_no_rival() -> None:
    assert make_election().observe(make_lease(), 0.0).rival is None


def test_a_released_lease_names_nobody_and_keeps_its_count() -> None:
    resigned = leading().resign(LATER)
    assert resigned is not None
    assert (resigned.holder, resigned.transitions, resigned.version, resigned.renewed) == ("", 3, "8", LATER)


def test_who_does_not_hold_the_lease_has_nothing_to_release() -> None:
    assert make_election().resign(LATER) is None
    assert make_election().observe(make_lease(), 0.0).resign(LATER) is None
    assert leading().fail().observe(make_lease(OTHER, version="9"), 103.0).resign(LATER) is None


@pytest.mark.parametrize(
    ("election", "now", "standing"),
    [
        (make_election(), 0.0, Standing.NEITHER),
        (make_election().observe(None, 0.0), 0.0, Standing.NEITHER),
        (make_election().observe(make_lease(""), 0.0), 0.0, Standing.NEITHER),
        (make_election().observe(make_lease(), 0.0), 14.9, Standing.STANDBY),
        (make_election().observe(make_lease(), 0.0), 15.0, Standing.NEITHER),
        (leading(100.0), 109.9, Standing.LEADER),
        (leading(100.0), 110.0, Standing.NEITHER),
    ],
    ids=["nothing-seen", "no-lease", "nobodys", "renewed", "not-renewed", "held", "deadline-passed"],
)
def test_the_standing(election: Election, now: float, standing: Standing) -> None:
    assert election.standing(now) is standing


# Worlds: operators whose clocks show anything and run unevenly, whose requests are late or lost, and who are stopped.

Action = Generator[float, None, None]


@dataclass
class Server:
    """The API server's side: one Lease, conditional writes."""

    lease: Lease | None = None
    version: int = 0

    def write(self, claimed: Lease) -> Lease | None:
        """Return the Lease as written; None if it is not the version that was decided upon."""
        if claimed.version != ("" if self.lease is None else self.lease.version):
            return None
        self.version += 1
        self.lease = replace(claimed, version=str(self.version))
        return self.lease


@dataclass
class Operator:
    """An operator process. `now` is the world's time, which it cannot read."""

    name: str
    world: "World"
    offset: float
    rate: float
    election: Election = field(init=False)

    def __post_init__(self) -> None:
        self.election = Election(identity=f"{self.name}_1", settings=replace(SETTINGS, pod=self.name))

    def clock(self) -> float:
        return self.offset + self.rate * self.world.now

    def may_act(self) -> bool:
        return self.clock() < self.election.deadline

    def run(self) -> Action:
        """Take turns as `Elector` does, until the lease is lost."""
        while not self.is_over():
            yield from self.take_turn()
            yield self.world.chance.uniform(1.0, 2.0) / self.rate

    def is_over(self) -> bool:
        has_led = self.election.renewal_started is not None
        return self.election.rival is not None or (has_led and not self.may_act())

    def take_turn(self) -> Action:
        if self.election.must_read:
            answer = yield from self.request(lambda: self.world.server.lease)
            if answer is LOST:
                return
            self.election = self.election.observe(answer, self.clock())
        if self.is_over():
            return
        started = self.clock()
        claim = self.election.claim(started, "any time")
        if claim is None:
            return
        written = yield from self.request(lambda: self.world.server.write(claim))
        if written is LOST or written is None:
            self.election = self.election.fail()
        else:
            self.election = self.election.win(written, started)

    def request(self, serve: Callable[[], Lease | None]) -> Generator[float, None, Lease | None]:
        """Be served after a while, or not, and be told later, or not; or be stopped in between."""
        chance = self.world.chance
        trouble = self.world.trouble
        yield chance.expovariate(1 / 0.05) + chance.choice([0.0] * 8 + [chance.uniform(0, 40)]) * trouble
        if chance.random() < 0.2 * trouble:
            return LOST
        answer = serve()
        yield chance.expovariate(1 / 0.05) + chance.choice([0.0] * 8 + [chance.uniform(0, 40)]) * trouble
        return LOST if chance.random() < 0.2 * trouble else answer


LOST = Lease(holder="no answer", version="lost")


class World:
    """Three operators of one installation, over ten minutes."""

    def __init__(self, seed: int, *, trouble: float) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - worlds, not secrets
        self.trouble = trouble
        self.now = 0.0
        self.server = Server()
        self.operators = [
            Operator(name, self, self.chance.uniform(-1e6, 1e6), self.chance.uniform(0.9, 1.1)) for name in "abc"
        ]

    def play(self) -> Iterator[list[str]]:
        """Yield who may act, after everything that happens."""
        tick = iter(range(10**9))
        queue = [(0.0, next(tick), operator.run()) for operator in self.operators]
        while queue and self.now < 600:
            self.now, _, running = heapq.heappop(queue)
            yield [operator.name for operator in self.operators if operator.may_act()]
            delay = next(running, None)
            yield [operator.name for operator in self.operators if operator.may_act()]
            if delay is not None:
                heapq.heappush(queue, (self.now + delay, next(tick), running))


@pytest.mark.parametrize("trouble", [0.0, 1.0], ids=["calm", "troubled"])
def test_at_most_one_operator_may_act_in_any_world(trouble: float) -> None:
    leaders: set[str] = set()
    for seed in range(150):
        for acting in World(seed, trouble=trouble).play():
            assert len(acting) <= 1, f"seed {seed}: {acting}"
            leaders.update(acting)
    assert leaders == {"a", "b", "c"}, "each led in some world"


def test_in_a_calm_world_the_first_leader_stays() -> None:
    for seed in range(20):
        story = list(World(seed, trouble=0.0).play())
        first = next(index for index, acting in enumerate(story) if acting)
        assert story[first:] == [story[first]] * (len(story) - first), f"seed {seed}"
        assert first < len(story) / 2, f"seed {seed}: nobody led for long"
