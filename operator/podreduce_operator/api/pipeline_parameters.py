"""The parameters of a pipeline: in the URIs of its steps, and in the parameters of their programs.

Rule: pure. `$(parameters.day)` stands for the pipeline's own parameter `day`, whose value is taken as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from podreduce_operator.api.pipeline_spec import PipelineSpec, StepInput, StepOutput, StepSpec
from podreduce_operator.api.spec import ProgramSpec
from podreduce_operator.api.substitution import substitute_text

__all__ = ["resolve_output_uri", "resolve_step", "resolve_steps"]

replace: Final = msgspec.structs.replace
Values = Mapping[str, str]


def resolve_steps(spec: PipelineSpec) -> PipelineSpec:
    """Return a pipeline with all its steps as `resolve_step` gives them.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    return replace(spec, steps=tuple(resolve_step(spec, step.name) for step in spec.steps))


def resolve_step(spec: PipelineSpec, name: str) -> StepSpec:
    """Return a step with the parameters in place, and with its whole program: file, class and all parameters.

    Raises:
        SubstitutionError: a placeholder names no parameter. The message starts with the path of the text.
    """
    number, step = find_step(spec, name)
    path = f"spec.steps[{number}]"
    return replace(
        step,
        inputs=resolve_inputs(step.inputs, spec.parameters, f"{path}.inputs"),
        side_inputs=resolve_inputs(step.side_inputs, spec.parameters, f"{path}.sideInputs"),
        output=resolve_output(step.output, spec.parameters, f"{path}.output.uri"),
        program=resolve_program(spec, step, path),
    )


def resolve_output_uri(spec: PipelineSpec, name: str) -> str | None:
    """Return the URI of a step's output with the parameters in it; None if the step names none.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    number, step = find_step(spec, name)
    return resolve_output(step.output, spec.parameters, f"spec.steps[{number}].output.uri").uri


def find_step(spec: PipelineSpec, name: str) -> tuple[int, StepSpec]:
    """Return a step and its number."""
    return next((number, step) for number, step in enumerate(spec.steps) if step.name == name)


def resolve_inputs(inputs: Sequence[StepInput], parameters: Values, path: str) -> tuple[StepInput, ...]:
    """Return inputs with the parameters in their URIs."""
    return tuple(resolve_input(each, parameters, f"{path}[{number}]") for number, each in enumerate(inputs))


def resolve_input(each: StepInput, parameters: Values, path: str) -> StepInput:
    """Return an input with the parameters in its URIs."""
    if each.first is not None and each.first.uris is not None:
        uris = resolve_uris(each.first.uris, parameters, f"{path}.first.uris")
        each = replace(each, first=replace(each.first, uris=uris))
    if each.uris is None:
        return each
    return replace(each, uris=resolve_uris(each.uris, parameters, f"{path}.uris"))


def resolve_uris(uris: Sequence[str], parameters: Values, path: str) -> tuple[str, ...]:
    """Return URIs with the parameters in them."""
    return tuple(substitute_text(uri, parameters, f"{path}[{number}]") for number, uri in enumerate(uris))


def resolve_output(output: StepOutput, parameters: Values, path: str) -> StepOutput:
    """Return an output with the parameters in its URI."""
    return output if output.uri is None else replace(output, uri=substitute_text(output.uri, parameters, path))


def resolve_program(spec: PipelineSpec, step: StepSpec, path: str) -> ProgramSpec | None:
    """Return a step's own program, or else the pipeline's, with the step's class; None if there is neither.

    Its parameters are those of the pipeline's that it inherits, then the program's, then the step's: the last one of a
    name counts.
    """
    program, place = (spec.program, "spec.program") if step.program is None else (step.program, f"{path}.program")
    if program is None:
        return None
    parameters = {
        **inherited_values(spec, step),
        **resolve_values(program.parameters, spec.parameters, f"{place}.parameters"),
        **resolve_values(step.parameters, spec.parameters, f"{path}.parameters"),
    }
    return replace(program, class_name=step.class_name or program.class_name, parameters=parameters)


def inherited_values(spec: PipelineSpec, step: StepSpec) -> Values:
    """Return those of the pipeline's parameters that a step's program sees."""
    wanted = step.inherit_parameters
    return {name: value for name, value in spec.parameters.items() if wanted is None or name in wanted}


def resolve_values(values: Values, parameters: Values, path: str) -> dict[str, str]:
    """Return the parameters of a program with the pipeline's in them."""
    return {name: substitute_text(value, parameters, f"{path}.{name}") for name, value in values.items()}
