"""The properties that drawn cases search for exceptions to, and the tests that do."""

from dataclasses import dataclass

__all__ = ["PROPERTIES", "Property"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """`tests` search for exceptions to `claim`; drawing `times` as many cases takes them a few minutes."""

    claim: str
    tests: tuple[str, ...]
    times: float


UNIT = "tests/unit/test_{}.py"

PROPERTIES = {
    "layout": Property(
        claim="the output does not depend on where blocks, batches, flushes, shards and processes fall",
        tests=(
            "tests/metamorphic/test_metamorphic.py::test_every_layout_of_a_job_gives_the_same_output",
            UNIT.format("column_aggregation"),
            UNIT.format("recognised_values"),
            UNIT.format("reader_properties"),
        ),
        times=5,
    ),
    "programs": Property(
        claim="a rewritten program is the program",
        tests=("tests/programs/test_programs.py::test_a_rewritten_program_is_the_program",),
        times=5,
    ),
    "input": Property(
        claim="any input and any value give records, bad records, or an error with its remedy",
        tests=(
            UNIT.format("reader_fuzz"),
            UNIT.format("json_columns"),
            UNIT.format("csv_columns"),
            UNIT.format("yielded_types"),
            UNIT.format("returned_columns"),
        ),
        times=20,
    ),
    "memory": Property(
        claim="what is accounted is at least 0.8 of what is held",
        tests=(UNIT.format("memory_accounting"),),
        times=20,
    ),
    "plans": Property(
        claim="plans for 1 GB to 100 TB are even, and small for the operator",
        tests=(UNIT.format("plans_at_scale"),),
        times=4,
    ),
}
