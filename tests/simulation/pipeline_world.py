"""A world for `decide_pipeline`: jobs as small machines that plan, run, fail and vanish; a store that goes away; an
operator that dies between any two actions; a user who edits, suspends, deletes, replaces data and starts new runs.
After a run has ended, a schedule may make another pipeline, which finds the records and outputs of the one before. That
one still exists, and its ttl may end at any time.

An output is a small number, a hash of the step's spec and of what its job read when it planned. So outputs often come
out as before, and a complete run can be compared with a run from nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Any

from podreduce_operator.api.pipeline_spec import PipelineSpec, StepSpec, decode_pipeline_spec
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import (
    CreateStep,
    Data,
    DeleteStepJob,
    PinPipeline,
    PipelineAction,
    PipelineDecision,
    PipelineObserved,
    PipelinePhase,
    PipelineRunState,
    PipelineView,
    PublishLoop,
    RecordStep,
    RemoveData,
    SetShare,
    SetSuspend,
    StepDigests,
    StepJob,
)
from podreduce_operator.pipelines.carried_maps import may_carry_maps
from podreduce_operator.pipelines.freshness import Node, State, combine_digests
from podreduce_operator.pipelines.picture import look_at
from podreduce_operator.pipelines.unrolling import find_results
from podreduce_operator.policy.decide_pipeline import decide_pipeline

__all__ = ["PipelineWorld", "play"]

OUTPUTS = 4
"""How many different outputs there are."""
TROUBLED_STEPS = 120
CALM_STEPS = 400


Decide = Callable[[PipelineObserved, float], PipelineDecision]


class CrashError(Exception):
    """The operator dies."""


def draw_spec(rng: Random) -> dict[str, Any]:
    """Return a random pipeline: up to seven steps, and at most two loops."""
    steps: list[dict[str, Any]] = []
    loops: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 6)):
        name = f"s{number}"
        earlier = [step["name"] for step in steps]
        inputs: list[dict[str, Any]] = [
            {"from": each} for each in rng.sample(earlier, min(len(earlier), rng.randrange(3)))
        ]
        if not inputs or rng.random() < 0.3:
            inputs.append({"uris": [rng.choice("xyz")]})
        step: dict[str, Any] = {"name": name, "inputs": inputs}
        if earlier and rng.random() < 0.2:
            step["dependsOn"] = [rng.choice(earlier)]
        if rng.random() < 0.3:
            step["output"] = {"uri": f"s3://out/{name}/"}
        if rng.random() < 0.2:
            step["parallelism"] = rng.randint(1, 3)
        steps.append(step)
    for name in rng.sample([step["name"] for step in steps], min(len(steps), rng.randrange(3))):
        make_loop(name, steps, loops, rng)
    return {"steps": steps, "loops": loops}


def make_loop(name: str, steps: list[dict[str, Any]], loops: list[dict[str, Any]], rng: Random) -> None:
    """Make a loop of one step, or of two that follow each other."""
    number = next(at for at, step in enumerate(steps) if step["name"] == name)
    body = [step["name"] for step in steps[number : number + rng.randint(1, 2)]]
    if any(set(body) & set(loop["steps"]) for loop in loops):
        return
    first = {"uris": ["x"]} if number == 0 else {"from": steps[number - 1]["name"]}
    if first.get("from") in {step for loop in loops for step in loop["steps"]} or rng.random() < 0.3:
        first = {"uris": ["y"]}
    steps[number]["inputs"] = [*steps[number]["inputs"][:1], {"previous": body[-1], "first": first}]
    until = [{"step": body[-1], "counter": "g/c", "operator": "Less", "than": rng.randrange(3)}]
    loops.append(
        {
            "name": f"l{number}",
            "steps": body,
            "maxIterations": rng.randint(1, 5),
            "minIterations": 1,
            "until": until if rng.random() < 0.8 else [],
            "keep": rng.choice(["Last", "All"]),
            "atLimit": rng.choice(["Accept", "Accept", "Fail"]),
        }
    )


@dataclass
class SimJob:
    """A job in the cluster. `read` is what it found when it planned; None before."""

    name: str
    uid: str
    node: Node
    place: Place
    run: str
    spec_digest: str
    share: int
    read: list[str] | None = None
    work: int = 0
    pods: int = 0
    has_written: bool = False
    ended: str | None = None
    suspended: bool = False
    deleting: bool = False
    keeps_maps: bool = False


@dataclass
class PipelineWorld:
    """Everything there is: the user's resource, the cluster's jobs, the store, and the run's status."""

    rng: Random
    fields: dict[str, Any]
    decide: Decide = decide_pipeline
    parallelism: int = 3
    now: float = 1000.0
    run_id: int = 1
    code: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=lambda: dict.fromkeys("xyz", "0"))
    status: PipelineRunState = field(default_factory=lambda: PipelineRunState(run_id=""))
    pinned: dict[str, Mapping[str, StepDigests]] = field(default_factory=dict)
    jobs: dict[str, SimJob] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    records: dict[str, StepRecord] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    is_store_away: bool = False
    calm: bool = False
    uids: int = 0
    created: list[str] = field(default_factory=list)
    failing: bool = False
    pipeline: int = 1
    earlier: tuple[PipelineView, PipelineRunState] | None = None

    # What the operator sees

    @property
    def spec(self) -> PipelineSpec:
        defaults = {
            "onStepFailure": "FinishRunning",
            "reuse": "Unchanged",
            "intermediates": "UntilTTL",
            "suspend": False,
            "ttlSecondsAfterFinished": 60,
        }
        return decode_pipeline_spec(defaults | self.fields | {"runId": str(self.run_id)})

    def observe(self) -> PipelineObserved:
        """Return what an operator observes now."""
        run_id = str(self.run_id)
        status = self.status if self.status.run_id == run_id else PipelineRunState(run_id=run_id)
        return PipelineObserved(
            pipeline=self.view(),
            run=status,
            run_hash=self.run_hash,
            parallelism=self.parallelism,
            digests={} if self.is_store_away else self.pinned.get(self.run_hash, {}),
            jobs=tuple(self.view_job(job) for job in self.jobs.values()),
            records={} if self.is_store_away else dict(self.records),
            data={} if self.is_store_away else self.data(),
            published={} if self.is_store_away else dict(self.published),
            is_store_unreadable=self.is_store_away,
        )

    @property
    def run_hash(self) -> str:
        return f"{self.pipeline}-{self.run_id}"

    def view(self) -> PipelineView:
        """The pipeline of tonight."""
        key = JobKey(namespace="default", name=f"web-{self.pipeline}")
        return PipelineView(key=key, uid=f"u{self.pipeline}", generation=1, spec=self.spec, raw_spec={}, status={})

    def view_job(self, job: SimJob) -> StepJob:
        return StepJob(
            name=job.name,
            uid=job.uid,
            place=job.place,
            run=job.run,
            ended=job.ended,
            reason="ProgramError" if job.ended == "Failed" else "",
            share=job.share,
            active=job.pods,
            wanted=3,
            suspended=job.suspended,
            deleting=job.deleting,
            keeps_maps=job.keeps_maps,
        )

    def data(self) -> dict[str, Data]:
        return {
            name: Data.REPLACED if name in self.replaced else Data.PRESENT if name in self.outputs else Data.GONE
            for name in self.records
        }

    # What the operator does

    def pass_once(self) -> PipelineDecision:
        """One pass. The operator may die after any action, and before the status is written."""
        observed = self.observe()
        decision = self.decide(observed, self.now)
        for action in decision.actions:
            self.apply(action, observed)
            self.may_crash()
        self.write_status(observed, decision)
        return decision

    def may_crash(self) -> None:
        if not self.calm and self.rng.random() < 0.05:
            raise CrashError

    def write_status(self, observed: PipelineObserved, decision: PipelineDecision) -> None:
        verdict, run = decision.verdict, observed.run
        assert run.terminal is None or str(verdict.phase) == run.terminal, "a terminal verdict has changed"
        if verdict.phase is PipelinePhase.SUSPENDED:
            self.status = replace(run, started_at=None)
            return
        started_at = self.now if run.started_at is None else run.started_at
        self.status = replace(run, started_at=started_at)
        if verdict.is_terminal and run.terminal is None:
            if verdict.phase is PipelinePhase.COMPLETE:
                self.check_results(observed)
            self.status = replace(
                self.status, terminal=str(verdict.phase), completed_at=self.now, reason=verdict.reason
            )

    def apply(self, action: PipelineAction, observed: PipelineObserved) -> None:
        match action:
            case PinPipeline():
                self.pinned.setdefault(observed.run_hash, self.digests())
            case CreateStep():
                self.create(action, observed)
            case RecordStep():
                self.record(action.job, observed)
            case PublishLoop():
                self.publish(action.place)
            case RemoveData():
                self.remove(action.place)
            case SetShare() | SetSuspend() | DeleteStepJob():
                self.change_job(action)

    def change_job(self, action: SetShare | SetSuspend | DeleteStepJob) -> None:
        job = self.find(action.job)
        if job is None:
            return
        if isinstance(action, SetSuspend):
            job.suspended = action.suspend
        elif isinstance(action, DeleteStepJob):
            self.check_kept_maps(action, job)
            job.deleting = True
        else:
            before, is_raise = self.held_slots(), action.share > job.share
            job.share = action.share
            if is_raise and self.held_slots() > before:
                self.check_slots()

    def publish(self, place: Place) -> None:
        assert str(place) in self.outputs, "what is gone cannot be published"
        self.published[place.step] = self.records[str(place)].output_digest

    def find(self, known: StepJob) -> SimJob | None:
        job = self.jobs.get(known.name)
        return job if job is not None and job.uid == known.uid else None

    def digests(self) -> dict[str, StepDigests]:
        """What a run pins: the code and the objects as they are now."""
        listings = {(name,): version for name, version in self.objects.items()}
        return {
            step.name: StepDigests(
                spec=None if step.reuse == "Never" else self.code.get(step.name, "1"), listings=listings, bytes_in=10
            )
            for step in self.spec.steps
        }

    def create(self, action: CreateStep, observed: PipelineObserved) -> None:
        name = f"{action.place}-{observed.run_hash}"
        if name in self.jobs:
            assert not self.jobs[name].deleting or self.jobs[name].ended is None
            return
        picture = look_at(self.observe())
        node = next((node for node in picture.unrolled.nodes if node.name == str(action.place)), None)
        assert node is not None, "a step starts that is not due"
        self.check_creation(action, node, observed)
        self.uids += 1
        self.created.append(node.name)
        self.jobs[name] = SimJob(
            name=name,
            uid=f"j{self.uids}",
            node=node,
            place=action.place,
            run=observed.run_hash,
            spec_digest=observed.digests[action.place.step].spec or "never",
            share=action.share,
            keeps_maps=action.maps_from is None and may_carry_maps(self.spec, self.spec_of(action.place.step)),
        )

    def record(self, known: StepJob, observed: PipelineObserved) -> None:
        """Write the record of a complete job; what is there of the same job stays as it is."""
        job, name = self.find(known), str(known.place)
        before = self.records.get(name)
        if job is None or job.read is None or (before is not None and before.job_uid == job.uid):
            return
        value = compute(job.spec_digest, job.read)
        is_again = before is not None and observed.is_own(before)
        self.records[name] = StepRecord(
            place=job.place,
            job_uid=job.uid,
            spec_digest=observed.digests[job.place.step].spec,
            input_digest=input_digest_of(job),
            output_digest=value,
            output_uri=f"s3://work/{name}/",
            run_id=observed.run.run_id,
            pipeline_uid=observed.pipeline.uid,
            records=int(value),
            bytes=10,
            bytes_in=10,
            slot_seconds=1.0,
            counters={"g/c": int(value)},
            times=before.times + 1 if is_again and before is not None else 1,
        )

    def remove(self, place: Place) -> None:
        """Remove an output that no job reads or will read in this run."""
        reading = [job for job in self.jobs.values() if job.ended is None and job.read is None and not job.deleting]
        assert not any(str(place) in job.node.producers for job in reading), "data is removed that a job reads"
        self.outputs.pop(str(place), None)

    # The judge

    def check_creation(self, action: CreateStep, node: Node, observed: PipelineObserved) -> None:
        spec = self.spec
        assert not spec.suspend, "a suspended pipeline starts a step"
        assert self.status.terminal is None or self.status.run_id != observed.run.run_id, "an ended run starts a step"
        for producer in node.producers:
            assert producer in self.records, "a step starts before one that it reads"
            assert producer in self.outputs, "a step starts without its data"
            assert self.outputs[producer] == self.records[producer].output_digest or producer in self.replaced
        failed = {job.node.name for job in self.jobs.values() if job.run == observed.run_hash and job.ended == "Failed"}
        visible = {str(job.place) for job in observed.run_jobs if job.ended == "Failed"}
        if failed & visible:
            assert spec.on_step_failure == "FinishPossible", "a step starts after another has failed"
            assert not visible & {*node.producers, *node.after}
        self.check_maps_from(action, observed)
        loop = spec.loop_of(action.place.step)
        if loop is not None:
            assert 1 <= action.place.iteration <= loop.max_iterations, "an iteration beyond the limit"
        others = [job for job in self.jobs.values() if job.run != observed.run_hash and job.ended is None]
        assert not others, "two runs at a time"
        held = sum(max(job.share, job.pods) for job in self.jobs.values() if job.ended is None)
        assert held + action.share <= max(self.parallelism, 1), "more slots than there are"

    def check_maps_from(self, action: CreateStep, observed: PipelineObserved) -> None:
        """A step reads map output of an earlier iteration in this run, and it does if there is such output."""
        kept = {
            job.name
            for job in self.jobs.values()
            if (job.place.step, job.run) == (action.place.step, observed.run_hash)
            and job.keeps_maps and job.ended == "Complete" and not job.deleting
        }  # fmt: skip
        assert len(kept) < 2, "two iterations keep their map output"
        assert action.maps_from == next(iter(kept), None), "a step reads map output that nobody has kept"

    def check_kept_maps(self, action: DeleteStepJob, job: SimJob) -> None:
        """Map output that later iterations may read stays."""
        loop = self.spec.loop_of(job.place.step)
        if action.why == "recorded" and job.keeps_maps and loop is not None:
            ended = look_at(self.observe()).unrolled.loops[loop.name].end is not None
            assert ended, "map output is removed that the next iteration may read"

    def held_slots(self) -> int:
        """What running jobs hold. A raise up to what a job's pods hold already adds nothing."""
        return sum(max(job.share, job.pods) for job in self.jobs.values() if job.ended is None)

    def check_slots(self) -> None:
        held = self.held_slots()
        running = sum(1 for job in self.jobs.values() if job.ended is None)
        assert held <= max(self.parallelism, running), "more slots than there are"

    def check_results(self, observed: PipelineObserved) -> None:
        """What a complete run gives equals what a run from nothing gives."""
        expected, last = self.from_nothing(observed.digests)
        for step in find_results(self.spec):
            name = str(Place(step=step, iteration=last.get(step, 0)))
            assert self.outputs.get(name) == expected[name], f"the result of {name} is not that of a run from nothing"
            if step in last and self.spec_of(step).output.uri is not None:
                assert self.published.get(step) == expected[name], "the result of a loop is not published"
        assert not any(job.ended is None for job in self.jobs.values()), "a complete run has running jobs"

    def spec_of(self, step: str) -> StepSpec:
        return next(each for each in self.spec.steps if each.name == step)

    def from_nothing(self, digests: Mapping[str, StepDigests]) -> tuple[dict[str, str], dict[str, int]]:
        """Return the outputs of a run that reuses nothing, and the last iteration of each step in a loop."""
        empty = replace(self, records={}, outputs={}, jobs={}, replaced=set(), published={}, is_store_away=False)
        empty.status = PipelineRunState(run_id=str(self.run_id), started_at=0.0)
        empty.pinned = {self.run_hash: digests}
        last: dict[str, int] = {}
        while True:
            picture = look_at(empty.observe())
            ready = [node for node in picture.unrolled.nodes if picture.states[node.name] is State.RUN]
            if not ready:
                return empty.outputs, last
            node = ready[0]
            place = picture.unrolled.places[node.name]
            job = SimJob(
                name=node.name, uid=node.name, node=node, place=place, run=self.run_hash,
                spec_digest=digests[place.step].spec or "never", share=1,
            )  # fmt: skip
            job.read = empty.read_inputs(job)
            job.ended = "Complete"
            empty.jobs[node.name] = job
            empty.outputs[node.name] = compute(job.spec_digest, job.read)
            empty.record(empty.view_job(job), empty.observe())
            if place.iteration:
                last[place.step] = place.iteration

    # What happens

    def read_inputs(self, job: SimJob) -> list[str]:
        return [
            self.outputs[source.step] if source.step is not None else f"objects {source.listing}"
            for source in job.node.sources
        ]

    def tick(self) -> None:
        """Each job makes a step; those being deleted go, at last. Pods end one by one."""
        self.now += self.rng.choice([1, 1, 5, 30])
        for name, job in list(self.jobs.items()):
            if job.deleting and (self.calm or self.rng.random() < 0.3):
                del self.jobs[name]
            elif job.ended is None and not job.suspended and not job.deleting and not self.is_store_away:
                self.work(job)

    def work(self, job: SimJob) -> None:
        job.pods = min(job.share, 3) if job.pods <= job.share else job.pods - self.rng.randrange(2)
        if job.has_written:
            job.ended, job.pods = "Complete", 0
        elif job.read is None and all(producer in self.outputs for producer in job.node.producers):
            job.read = self.read_inputs(job)
        elif job.read is None or (self.failing and self.rng.random() < 0.1):
            job.ended, job.pods = "Failed", 0
        else:
            self.go_on(job, job.read)

    def go_on(self, job: SimJob, read: list[str]) -> None:
        """Work, and at last write the output. The status says so later."""
        job.work += 1
        if job.work >= 2 and (self.calm or self.rng.random() < 0.5):
            job.has_written = True
            self.outputs[str(job.place)] = compute(job.spec_digest, read)
            self.replaced.discard(str(job.place))

    def disturb(self) -> None:
        """The user or the world does something."""
        deeds = [self.edit, self.change_objects, self.start_again, self.suspend, self.lose, self.replace_data,
                 self.delete_job, self.change_parallelism, self.store_goes, self.let_fail, self.next_night,
                 self.next_night, self.expire_earlier, self.expire_earlier]  # fmt: skip
        self.rng.choice(deeds)()

    def edit(self) -> None:
        step = self.rng.choice(self.spec.steps).name
        self.code[step] = self.rng.choice("12")

    def change_objects(self) -> None:
        self.objects[self.rng.choice("xyz")] = self.rng.choice("012")

    def start_again(self) -> None:
        if self.rng.random() < 0.5 or self.status.terminal:
            self.run_id += 1

    def next_night(self) -> None:
        """The schedule makes another pipeline, if the one before has ended. Its first run is called 1 again."""
        ended = self.status.terminal is not None and self.status.run_id == str(self.run_id)
        if not ended or any(job.ended is None for job in self.jobs.values()):
            return
        self.earlier = (self.view(), self.status)
        self.pipeline += 1
        self.run_id, self.jobs = 1, {}
        self.status = PipelineRunState(run_id="")

    def expire_earlier(self) -> None:
        """The ttl of last night's pipeline is over, and the operator makes a pass over it."""
        if self.earlier is None or self.is_store_away:
            return
        view, run = self.earlier
        observed = replace(self.observe(), pipeline=view, run=run, run_hash="earlier", jobs=(), holds_steps=False)
        for action in self.decide(observed, self.now + 1000.0).actions:
            assert not isinstance(action, RemoveData), "an earlier pipeline removes what the next one may read"
            assert not isinstance(action, CreateStep | PinPipeline), "an ended pipeline starts a step"

    def suspend(self) -> None:
        self.fields["suspend"] = not self.fields.get("suspend", False)

    def lose(self) -> None:
        if self.outputs:
            self.outputs.pop(self.rng.choice(sorted(self.outputs)))

    def replace_data(self) -> None:
        if self.records and self.rng.random() < 0.3:
            name = self.rng.choice(sorted(self.records))
            if name in self.outputs:
                self.outputs[name] = "9"
                self.replaced.add(name)

    def delete_job(self) -> None:
        if self.jobs:
            self.jobs[self.rng.choice(sorted(self.jobs))].deleting = True

    def change_parallelism(self) -> None:
        self.parallelism = self.rng.randint(1, 5)

    def store_goes(self) -> None:
        self.is_store_away = not self.is_store_away

    def let_fail(self) -> None:
        self.failing = not self.failing

    def calm_down(self) -> None:
        """No more trouble."""
        self.calm, self.is_store_away, self.failing = True, False, False
        self.fields["suspend"] = False


def compute(spec_digest: str, read: list[str]) -> str:
    """Return a step's output."""
    return str(int(sha256(f"{spec_digest} {read}".encode()).hexdigest(), 16) % OUTPUTS)


def input_digest_of(job: SimJob) -> str:
    """Return the digest of what a job read when it planned, as its manifest has it."""
    read = job.read or []
    return combine_digests(
        [
            f"step {value}" if source.step is not None else value
            for source, value in zip(job.node.sources, read, strict=True)
        ]
    )


def play(seed: int, decide: Decide = decide_pipeline) -> PipelineWorld:
    """Run a world with troubles, and then without: the run ends, a new one is complete, and one more has nothing to do.

    Raises:
        AssertionError: an invariant is broken; the message says which.
    """
    rng = Random(seed)  # noqa: S311 - to be drawn again from its seed
    fields = draw_spec(rng) | {
        "onStepFailure": rng.choice(["FinishRunning", "Stop", "FinishPossible"]),
        "intermediates": rng.choice(["UntilTTL", "WhileNeeded"]),
    }
    world = PipelineWorld(rng=rng, fields=fields, decide=decide)
    for _ in range(TROUBLED_STEPS):
        if rng.random() < 0.15:
            world.disturb()
        world.tick()
        with suppress(CrashError):
            world.pass_once()
    world.calm_down()
    run_to_end(world)
    check_cleaned_up(world)
    for _ in range(2):
        created = len(world.created)
        before = world.pipeline
        world.next_night()
        world.run_id += world.pipeline == before
        run_to_end(world)
        check_cleaned_up(world)
        assert world.status.terminal == "Complete" or world.status.reason == "LoopLimitReached", "a calm run fails"
    if world.status.terminal == "Complete" and all(digests.spec for digests in world.digests().values()):
        assert len(world.created) == created, "a run without any change starts a step"
    return world


def check_cleaned_up(world: PipelineWorld) -> None:
    """Let the operator look at an ended run once: nothing keeps its map output any more."""
    world.pass_once()
    assert all(job.deleting for job in world.jobs.values() if job.keeps_maps), "an ended run keeps map output"


def run_to_end(world: PipelineWorld) -> None:
    """Let the current run end."""
    for _ in range(CALM_STEPS):
        world.tick()
        world.pass_once()
        if world.status.run_id == str(world.run_id) and world.status.terminal:
            return
    raise AssertionError("the run does not end")
