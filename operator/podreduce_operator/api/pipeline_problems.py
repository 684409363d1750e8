"""What is wrong with a pipeline that fits the CRD: names, order, loops, conditions, parameters, formats, places.

Rule: pure. The same function serves `podreduce validate` and the start of a run, so both say the same.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from podreduce_operator.api.crd_schema import FieldProblem
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.pipeline_formats import find_format_problems
from podreduce_operator.api.pipeline_parameters import resolve_step, resolve_steps
from podreduce_operator.api.pipeline_spec import LoopSpec, PipelineSpec, StepInput, StepSpec
from podreduce_operator.api.substitution import SubstitutionError

__all__ = ["find_pipeline_problems", "iter_uris"]


def find_pipeline_problems(spec: PipelineSpec) -> tuple[FieldProblem, ...]:
    """Return what is wrong with a pipeline: its graph first, then what can only be said of a graph that is right."""
    graph = (*find_name_problems(spec), *find_input_problems(spec), *find_loop_problems(spec))
    if graph:
        return graph
    return (
        *find_missing_programs(spec),
        *find_parameter_problems(spec),
        *find_read_problems(spec),
        *find_place_problems(spec),
    )


def find_name_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield names that occur twice."""
    for path, names in (
        ("spec.steps", [step.name for step in spec.steps]),
        ("spec.loops", [loop.name for loop in spec.loops]),
    ):
        for number, name in enumerate(names):
            if name in names[:number]:
                yield FieldProblem(
                    path=f"{path}[{number}].name", message=f"{name!r} is there twice: choose another name"
                )


def find_input_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield what is wrong with what the steps read and wait for."""
    for number, step in enumerate(spec.steps):
        earlier = [each.name for each in spec.steps[:number]]
        path = f"spec.steps[{number}]"
        for kind, inputs in (("inputs", step.inputs), ("sideInputs", step.side_inputs)):
            for place, each in enumerate(inputs):
                yield from find_source_problems(f"{path}.{kind}[{place}]", spec, step, each, earlier)
        for place, name in enumerate(step.depends_on):
            yield from find_order_problem(f"{path}.dependsOn[{place}]", spec, step, name, earlier)


def find_source_problems(
    path: str, spec: PipelineSpec, step: StepSpec, each: StepInput, earlier: Sequence[str]
) -> Iterator[FieldProblem]:
    """Yield what is wrong with one input."""
    given = [name for name, value in (("uris", each.uris), ("from", each.from_), ("previous", each.previous)) if value]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        yield FieldProblem(path=path, message=f"give exactly one of uris, from and previous; it has {found}")
        return
    if each.from_ is not None:
        yield from find_order_problem(f"{path}.from", spec, step, each.from_, earlier)
    if each.previous is not None:
        yield from find_previous_problems(path, spec, step, each, earlier)
    elif each.first is not None:
        yield FieldProblem(path=f"{path}.first", message="first belongs to previous: remove it, or give previous")


def find_previous_problems(
    path: str, spec: PipelineSpec, step: StepSpec, each: StepInput, earlier: Sequence[str]
) -> Iterator[FieldProblem]:
    """Yield what is wrong with an input from the iteration before."""
    loop = spec.loop_of(step.name)
    if loop is None or each.previous not in loop.steps:
        where = (
            "is in no loop" if loop is None else f"is in the loop {loop.name}, which does not repeat {each.previous}"
        )
        yield FieldProblem(path=f"{path}.previous", message=f"{step.name} {where}: read a step of the same loop")
    if each.first is None or (each.first.from_ is None) == (each.first.uris is None):
        message = "say what the first iteration reads: exactly one of from and uris"
        yield FieldProblem(path=f"{path}.first", message=message)
    elif each.first.from_ is not None:
        yield from find_order_problem(f"{path}.first.from", spec, step, each.first.from_, earlier)
        if loop is not None and each.first.from_ in loop.steps:
            message = f"{each.first.from_} is in the loop itself: its first iteration reads what is before it"
            yield FieldProblem(path=f"{path}.first.from", message=message)


def find_order_problem(
    path: str, spec: PipelineSpec, step: StepSpec, name: str, earlier: Sequence[str]
) -> Iterator[FieldProblem]:
    """Yield why a step cannot use another one: steps are listed in an order in which they can run."""
    if name in earlier:
        return
    if name == step.name:
        message = f"{name} cannot wait for itself: in a loop, read its last iteration with previous"
    elif any(each.name == name for each in spec.steps):
        message = f"{name} is listed below {step.name}: move {name} above it"
    else:
        known = ", ".join(each.name for each in spec.steps)
        message = f"there is no step {name!r}; the steps: {known}"
    yield FieldProblem(path=path, message=message)


def find_loop_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield what is wrong with the loops."""
    names = [step.name for step in spec.steps]
    for number, loop in enumerate(spec.loops):
        path = f"spec.loops[{number}]"
        unknown = [name for name in loop.steps if name not in names]
        if unknown:
            yield FieldProblem(
                path=f"{path}.steps", message=f"there is no step {unknown[0]!r}; the steps: {', '.join(names)}"
            )
        elif not is_consecutive(loop, names):
            message = f"list the steps of {loop.name} one after the other, as spec.steps has them"
            yield FieldProblem(path=f"{path}.steps", message=message)
        if loop.min_iterations > loop.max_iterations:
            message = f"{loop.min_iterations} is more than maxIterations, {loop.max_iterations}: lower one of the two"
            yield FieldProblem(path=f"{path}.minIterations", message=message)
        yield from find_until_problems(path, loop)
    for first, second in combinations(spec.loops, 2):
        for name in set(first.steps) & set(second.steps):
            message = f"{name} is in two loops, {first.name} and {second.name}: a step can be in one"
            yield FieldProblem(path="spec.loops", message=message)


def is_consecutive(loop: LoopSpec, names: Sequence[str]) -> bool:
    """Tell whether the loop's steps follow each other in the pipeline."""
    start = names.index(loop.steps[0])
    return list(loop.steps) == list(names[start : start + len(loop.steps)])


def find_until_problems(path: str, loop: LoopSpec) -> Iterator[FieldProblem]:
    """Yield what is wrong with the conditions of a loop."""
    for place, until in enumerate(loop.until):
        where = f"{path}.until[{place}]"
        if until.step not in loop.steps:
            message = f"{until.step!r} is not in the loop; its steps: {', '.join(loop.steps)}"
            yield FieldProblem(path=f"{where}.step", message=message)
        given = [name for name in ("counter", "output", "value") if getattr(until, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            yield FieldProblem(path=where, message=f"give exactly one of counter, output and value; it has {found}")
        if not is_number(until.than):
            message = f"{until.than!r} is no number: write one, such as 1000 or '0.001'"
            yield FieldProblem(path=f"{where}.than", message=message)


def is_number(value: int | str) -> bool:
    """Tell whether a value is a finite number, or a text of one."""
    try:
        return abs(float(value)) < float("inf")
    except ValueError:
        return False


def find_missing_programs(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield the steps that have no program."""
    for number, step in enumerate(spec.steps):
        if spec.program is None and step.program is None:
            message = f"{step.name} has no program: give it one, or give spec.program for all steps"
            yield FieldProblem(path=f"spec.steps[{number}].program", message=message)


def find_parameter_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield placeholders that name no parameter, for each step the first; and what is inherited and not there."""
    known = set[str]()
    for number, step in enumerate(spec.steps):
        for place, name in enumerate(step.inherit_parameters or ()):
            if name not in spec.parameters:
                message = (
                    f"there is no parameter {name!r}; the pipeline's: {', '.join(sorted(spec.parameters)) or 'none'}"
                )
                yield FieldProblem(path=f"spec.steps[{number}].inheritParameters[{place}]", message=message)
        try:
            resolve_step(spec, step.name)
        except SubstitutionError as error:
            path, _, message = str(error).partition(": ")
            if path not in known:
                yield FieldProblem(path=path, message=message)
            known.add(path)


def find_read_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield inputs of one name, and inputs that cannot be read in their format."""
    for path, inputs in iter_inputs(spec):
        names = [each.known_name for each in inputs]
        for place, each in enumerate(inputs):
            if names[place] in names[:place]:
                message = f"two inputs of this step have the name {names[place]!r}: give this one another, with name"
                yield FieldProblem(path=f"{path}[{place}]", message=message)
            for message in find_format_problems(spec, each):
                yield FieldProblem(path=f"{path}[{place}].format", message=message)


def iter_inputs(spec: PipelineSpec) -> Iterator[tuple[str, Sequence[StepInput]]]:
    """Yield the path and the items of each list of inputs and side inputs."""
    for number, step in enumerate(spec.steps):
        yield f"spec.steps[{number}].inputs", step.inputs
        yield f"spec.steps[{number}].sideInputs", step.side_inputs


def find_place_problems(spec: PipelineSpec) -> Iterator[FieldProblem]:
    """Yield outputs that would overwrite each other, and objects to read that the pipeline itself writes."""
    try:
        resolved = resolve_steps(spec)
    except SubstitutionError:
        return
    places = [
        (f"spec.steps[{number}].output.uri", as_prefix(step.output.uri), step.name)
        for number, step in enumerate(resolved.steps)
        if step.output.uri is not None
    ]
    for (_, first, _), (path, second, _) in combinations(places, 2):
        if first.startswith(second) or second.startswith(first):
            message = f"{second} and {first} overlap: give each output a place of its own"
            yield FieldProblem(path=path, message=message)
    for path, uri in iter_uris(resolved):
        for _, written, writer in places:
            if uri.startswith(written):
                message = f"{uri} is written by this pipeline, by the step {writer}: read it with from"
                yield FieldProblem(path=path, message=message)
            elif uri.endswith("/") and written.startswith(uri):
                message = f"the output of the step {writer}, {written}, lies in {uri}: write it elsewhere, or read less"
                yield FieldProblem(path=path, message=message)


def iter_uris(spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each URI that a step reads."""
    for path, inputs in iter_inputs(spec):
        for place, each in enumerate(inputs):
            lists = {"uris": each.uris, "first.uris": each.first.uris if each.first is not None else None}
            for name, uris in lists.items():
                yield from ((f"{path}[{place}].{name}[{at}]", uri) for at, uri in enumerate(uris or ()))
