"""The properties that drawn cases search for exceptions to, and the tests that do."""

from dataclasses import dataclass

__all__ = ["PROPERTIES", "Property"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """`tests` search for exceptions to `claim`; drawing `times` as many cases takes them a few minutes."""

    claim: str
    tests: tuple[str, ...]
    times: float


PROPERTIES = {
    "layout": Property(
        claim="the output does not depend on where blocks, batches, flushes, shards and processes fall",
        tests=(
            "tests/metamorphic/test_metamorphic.py::test_every_layout_of_a_job_gives_the_same_output",
            "tests/unit/runtime/task/test_column_aggregation.py",
            "tests/unit/runtime/rows/test_min_max.py",
            "tests/unit/runtime/rows/test_recognised_values.py",
            "tests/unit/runtime/inputs/test_reader_properties.py",
        ),
        times=1,
    ),
    "programs": Property(
        claim="a rewritten program is the program",
        tests=("tests/programs/test_programs.py::test_a_rewritten_program_is_the_program",),
        times=5,
    ),
    "input": Property(
        claim="any input and any value give records, bad records, or an error with its remedy",
        tests=(
            "tests/unit/runtime/inputs/test_reader_fuzz.py",
            "tests/unit/runtime/inputs/test_json_columns.py",
            "tests/unit/runtime/inputs/test_csv_columns.py",
            "tests/unit/runtime/program/test_yielded_types.py",
            "tests/unit/runtime/task/test_returned_columns.py",
        ),
        times=20,
    ),
    "memory": Property(
        claim="what is accounted is at least 0.8 of what is held",
        tests=("tests/unit/runtime/rows/test_memory_accounting.py",),
        times=20,
    ),
    "plans": Property(
        claim="plans for 1 GB to 100 TB are even, and small for the operator",
        tests=("tests/unit/operator/planning/test_plans_at_scale.py",),
        times=4,
    ),
}
