"""The digest of all that a step's output depends on besides its input, or why a step has none: such a step always runs.

Rule: pure. The digest is that of the step's job, as the manifest of its output has it (`digests`). So a step whose job
would be the same is known to be the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podreduce_operator.api.crd import known_spec
from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.api.spec import JobSpec, decode_spec
from podreduce_operator.digests.run_digests import digest_spec

__all__ = ["SpecDigest", "digest_step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecDigest:
    """The digest of a step.

    Attributes:
        digest: what an earlier output must have to be reused; None if the step is never reused, and `reason` says why.
        recorded: what the record of the step's output has, for later runs; None if the code is not known.
    """

    digest: str | None
    reason: str = ""
    recorded: str | None = None


def digest_step(spec: PipelineSpec, name: str, job: Mapping[str, Any], *, runs_in_image: bool) -> SpecDigest:
    """Return the digest of a step.

    Args:
        spec: the pipeline.
        name: the step.
        job: the manifest of its job, in any iteration.
        runs_in_image: whether its tasks run in an image, and not on this machine.
    """
    step = next(each for each in spec.steps if each.name == name)
    job_spec = decode_spec(known_spec(job["spec"]))
    program = job_spec.program
    digest = digest_spec(job_spec, program.as_program(program.source), runs_in_image=runs_in_image)
    if (step.reuse or spec.reuse) == "Never":
        return SpecDigest(digest=None, reason="reuse is Never", recorded=digest)
    reason = "" if digest else describe_unknown(job_spec, runs_in_image=runs_in_image)
    return SpecDigest(digest=digest, reason=reason, recorded=digest)


def describe_unknown(spec: JobSpec, *, runs_in_image: bool) -> str:
    """Return why the code of a step is not known."""
    if not runs_in_image:
        return f"the module {spec.program.module} is on this machine, where anything may have changed it"
    image = spec.image or "the operator's own"
    return f"the module {spec.program.module} is in the image {image}: name the image by digest (name@sha256:...)"
