import random

import pytest

from podreduce.contract.errors import ProgramError, ProgramInvalidError
from podreduce.contract.plan import Program
from podreduce.program.loading import load_program
from podreduce_operator.api.program_problems import ProgramProblem, find_program_problems
from tests.support.drawn_programs import draw_program
from tests.support.searching import seeds, tries

JOB = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"
BATCHES = "class Job:\n    def map_batch(self, batch): pass\n    def reduce_batch(self, batch): pass\n"


def refusal_of(source: str, class_name: str | None) -> ProgramError | None:
    """Return the error with which a task refuses to load the program; None if it can run it."""
    try:
        load_program(Program(source=source, class_name=class_name), name="job")
    except ProgramError as error:
        return error
    return None


def problems_of(seed: int, *, is_plain: bool) -> tuple[str, str | None, tuple[ProgramProblem, ...]]:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    source = draw_program(chance, is_plain=is_plain)
    class_name = chance.choice([None, None, "Job0", "Point"])
    return source, class_name, find_program_problems(source, class_name)


def test_what_the_text_shows_to_be_wrong_a_task_refuses() -> None:
    found = 0
    for seed in seeds(400):
        source, class_name, problems = problems_of(seed, is_plain=False)
        assert not problems or refusal_of(source, class_name) is not None, f"{problems}\n{source}"
        found += bool(problems)
    assert found > 80


def test_what_a_task_refuses_of_a_plain_program_the_text_shows() -> None:
    found = 0
    for seed in seeds(400):
        source, class_name, problems = problems_of(seed, is_plain=True)
        is_invalid = isinstance(refusal_of(source, class_name), ProgramInvalidError)
        assert bool(problems) == is_invalid, f"{problems}\n{source}"
        found += bool(problems)
    assert 80 < found < tries(380)


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("class Job:\n    def map_func(self, key, value)\n        pass\n", (2, 35), "SyntaxError: expected ':'"),
        ("class Job:\n  x = 1\n    y = 2\n", (3, 4), "IndentationError: unexpected indent"),
        ("return 1\n", (1, 1), "SyntaxError: 'return' outside function"),
        ("x = 1\0", (0, 0), "null bytes"),
        (f"x = {'-' * 100_000}1", (0, 0), "nested too deeply"),
        (
            "def map_func(key, value): yield key, 1",
            (0, 0),
            "no class with a map_func(self, key, value); it has no class",
        ),
        ("class Job:\n    def mapper(self, key, value): yield 1, 1", (2, 5), "is mapper meant to be it?"),
        (JOB + "    combiner = 'avg'\n", (4, 16), "Job.combiner is 'avg': it must be one of sum, min, max, count"),
        (JOB + "    combiner = 'largest:0'\n", (4, 16), "largest:N and smallest:N, with N from 1 to 10000"),
        (JOB + "    key_columns = ('a', 'b')\n", (4, 19), "Job.key_columns are the keys of a reduce_batch"),
        (JOB + "    def combine_batch(self, batch): pass\n", (2, 1), "Job.combine_batch needs a reduce_batch"),
        (JOB + "    key_columns = ('a',)\n", (4, 19), "a tuple of 2 to 100 names of columns"),
        (JOB + "    def setup(self):\n        pass\n", (4, 5), "write def setup(self, context)"),
        (JOB + "    def setup(self, context):\n        yield 1, 1\n", (4, 5), "has a yield, and what it yields"),
        (JOB + "    def teardown(self):\n        yield 1, 1\n", (4, 5), "Job.teardown has a yield"),
        (JOB + JOB.replace("Job", "Other"), (4, 1), "has the job classes Job, Other: set program.className"),
    ],
)
def test_a_problem_has_its_place_and_says_what_to_write(source: str, place: tuple[int, int], message: str) -> None:
    (problem,) = find_program_problems(source)
    assert message in problem.message
    assert (problem.line, problem.column) == pytest.approx(place, abs=1)


@pytest.mark.parametrize(
    "source",
    [
        JOB,
        "from jobs import *\n",
        "from jobs import Base\nclass Job(Base):\n    combiner = 'sum'\n",
        "from jobs import Base\nclass Job(Base):\n    key_columns = ('a', 'b')\n",
        JOB + "    combiner = 'largest:3'\n    def reduce_func(self, key, values): yield key, sum(values)\n",
        JOB + "    key_columns = names()\n",
        "from jobs import Base\nclass Job(Base):\n    def combine_batch(self, batch): return batch\n",
        BATCHES + "    combine_batch = reduce_batch\n",
        "import jobs\nJob = jobs.make()\n",
        JOB + "    def teardown(self):\n        self.rows = (lambda: (yield))\n",
        JOB + "if __name__ == '__main__':\n    import podreduce\n    podreduce.run(Job, inputs=['a'], output='b')\n",
        "try:\n    import ujson as json\nexcept ImportError:\n    import json\n" + JOB,
    ],
)
def test_what_only_running_the_program_tells_is_left_to_the_task(source: str) -> None:
    assert find_program_problems(source) == ()


def test_the_class_that_is_named_is_the_one_that_is_checked() -> None:
    source = JOB + "class Other:\n    combiner = 'avg'\n    def map_func(self, key, value): yield 1, 1\n"
    assert find_program_problems(source, "Job") == ()
    assert "'avg'" in find_program_problems(source, "Other")[0].message
    assert find_program_problems(source, "Jbo")[0].message.endswith("did you mean Job?")


def test_the_program_is_never_run() -> None:
    assert find_program_problems(f"raise SystemExit\n{JOB}") == ()
    assert find_program_problems(f"import no_such_module_anywhere\n{JOB}") == ()
