"""Which text of a file with several job classes one of them runs: less than all only if nothing else can happen."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.digests.code_text import code_text

FILE = '''"""Steps."""
import re

WORD = re.compile("[a-z]+")  # compiled once


def words(text):
    return WORD.findall(text)


class Base:
    separator = ","

    def split(self, value):
        return value.split(self.separator)


class Clean(Base):
    """Cleans."""

    def map_func(self, key, value):
        # the first two fields
        yield tuple(self.split(value)[:2])


class Visits(Base):
    limit: int = 3
    names = ("a", "b")

    def map_func(self, key, value):
        yield value, 1

    @staticmethod
    def helper(count=0):
        return count


# the last one
class Report:
    def map_func(self, key, value):
        yield from Clean().map_func(key, value)
'''
NAMES = ("Clean", "Visits", "Report")


def changed(name: str) -> str:
    """The file with a comment in a class."""
    line = "    def map_func(self, key, value):\n"
    before, _, after = FILE.partition(f"class {name}")
    return before + f"class {name}" + after.replace(line, f"{line}        # changed\n", 1)


USES = {"Clean": {"Clean"}, "Visits": {"Visits"}, "Report": {"Report", "Clean"}}


@pytest.mark.parametrize(("job", "edited"), [*itertools.product(NAMES, NAMES)])
def test_a_change_of_a_class_counts_for_the_jobs_that_use_it(job: str, edited: str) -> None:
    assert (code_text(FILE, job) != code_text(changed(edited), job)) == (edited in USES[job])


@pytest.mark.parametrize("job", NAMES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('WORD = re.compile("[a-z]+")', 'WORD = re.compile("[a-z]")'),
        ("return WORD.findall", "return  WORD.findall"),
        ('separator = ","', 'separator = ";"'),
        ('"""Steps."""', '"""Other steps."""'),
    ],
)
def test_what_is_no_job_class_counts_for_every_job(job: str, old: str, new: str) -> None:
    assert code_text(FILE, job) != code_text(FILE.replace(old, new), job)


@pytest.mark.parametrize("job", NAMES)
def test_blank_lines_and_comments_between_statements_do_not_count(job: str) -> None:
    assert code_text(FILE.replace("\n\n\n", "\n# a comment\n"), job) == code_text(FILE, job)


def test_a_new_job_class_changes_no_other() -> None:
    more = FILE + "\n\nclass Fourth(Base):\n    def map_batch(self, batch):\n        yield batch\n"
    assert all(code_text(more, job) == code_text(FILE, job) for job in NAMES)


@pytest.mark.parametrize("job", NAMES)
def test_what_is_kept_runs_as_the_whole_file_does(job: str) -> None:
    found = []
    for text in (FILE, code_text(FILE, job)):
        module: dict[str, Any] = {}
        exec(text, module)  # noqa: S102 - the file above
        found.append(list(module[job]().map_func(0, "a,b,c")))
    assert found[0] == found[1]


DOUBTS = {
    "named in a string": "JOBS = {'a': 'Other'}",
    "named in a function": "def other():\n    return Other()",
    "named by what is named": "class Next:\n    def map_func(self, key, value):\n        yield Other, 1\nNEXT = Next",
    "globals": "def find(name):\n    return globals()[name]",
    "eval": "def find(name):\n    return eval(name)",
    "modules": "import sys\nHERE = sys.modules[__name__]",
    "subclasses": "def find():\n    return object.__subclasses__()",
    "importlib": "import importlib",
    "a star": "from something import *",
    "no Python": "def (",
    "a carriage return": "A = 1\r\n",
    "another class of the name": "class Other:\n    pass",
}
OTHER = "class Other:\n    def map_func(self, key, value):\n        yield key, 2\n"
JOB = "class Job:\n    def map_func(self, key, value):\n        yield key, 1\n"


@pytest.mark.parametrize("doubt", DOUBTS.values(), ids=DOUBTS)
def test_in_doubt_a_class_counts(doubt: str) -> None:
    file = f"{JOB}{OTHER}{doubt}\n"
    assert code_text(file, "Job") != code_text(file.replace("key, 2", "key, 3"), "Job")


@pytest.mark.parametrize(
    "other",
    [
        f"@register\n{OTHER}",
        OTHER.replace("Other:", "Other(metaclass=Meta):"),
        OTHER.replace("Other:", "Other(elsewhere.Base):"),
        OTHER.replace("Other:", "Other(Base):"),
        f"{OTHER}    LIST.append(1)\n",
        f"{OTHER}    names = make()\n",
        f"{OTHER}    def other(self, value=make()):\n        pass\n",
        f"{OTHER}    def other(self, value: make()):\n        pass\n",
        f"{OTHER}    @wrap\n    def other(self):\n        pass\n",
        f"{OTHER}    for name in names():\n        pass\n",
        "class Other:\n    value = 2\n",
    ],
)
def test_a_class_whose_definition_does_more_counts(other: str) -> None:
    file = f"class Base(Unknown):\n    pass\n{JOB}{other}"
    changed_file = file.replace("key, 2", "key, 3").replace("value = 2", "value = 3")
    assert code_text(file, "Job") != code_text(changed_file, "Job")


@pytest.mark.parametrize("class_name", [None, "Missing", "WORD"])
def test_without_a_known_class_all_classes_count(class_name: str | None) -> None:
    assert all(code_text(FILE, class_name) != code_text(changed(name), class_name) for name in NAMES)


@given(st.sets(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE"))))
def test_exactly_what_is_reached_by_names_counts(uses: set[tuple[str, str]]) -> None:
    def file(edited: str) -> str:
        return "".join(
            f"class Job{name}:\n    def map_func(self, key, value):\n        [{body(name)}]  # {name == edited}\n"
            for name in "ABCDE"
        )

    def body(name: str) -> str:
        return ", ".join(f"Job{used}()" for user, used in sorted(uses) if user == name)

    reached = {"A"}
    for _ in "ABCDE":
        reached |= {used for user, used in uses if user in reached}
    for name in "ABCDE":
        assert (code_text(file(""), "JobA") != code_text(file(name), "JobA")) == (name in reached)
