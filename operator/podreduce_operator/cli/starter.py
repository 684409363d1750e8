"""`podreduce init`: writes a job class, a small input and a test to begin with. Rule: never replaces a file."""

from pathlib import Path

from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.terminal import complain, say

__all__ = ["FILES", "write_starter"]

JOB = '''"""Counts words. Try it: podreduce run job.py sample.txt -o counts/"""


class WordCount:
    def map_func(self, key, value):  # key: the line's byte offset, value: the line
        for word in value.split():
            yield word.lower().strip(".,;:!?"), 1

    def reduce_func(self, key, values):  # values: an iterator over what was yielded for the key
        yield key, sum(values)
'''

SAMPLE = """The quick brown fox jumps over the lazy dog.
The dog sleeps; the fox does not.
"""

TEST = """import podreduce
from job import WordCount


def test_a_line_gives_its_words():
    assert list(WordCount().map_func(0, "The end.")) == [("the", 1), ("end", 1)]


def test_words_are_counted(tmp_path):
    (tmp_path / "lines.txt").write_text("the fox\\nthe dog\\n")
    result = podreduce.run(WordCount, inputs=[tmp_path / "lines.txt"], output=tmp_path / "counts")
    assert dict(result.records()) == {"the": 2, "fox": 1, "dog": 1}
"""

FILES = {"job.py": JOB, "sample.txt": SAMPLE, "test_job.py": TEST}


def write_starter(name: str) -> ExitStatus:
    """Write the files into the directory `name`, and say what to do next."""
    directory = Path(name)
    present = [each for each in FILES if (directory / each).exists()]
    if present:
        complain(f"{directory / present[0]} exists already: choose another directory, podreduce init NAME")
        return ExitStatus.INVALID
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for each, text in FILES.items():
            (directory / each).write_text(text, encoding="utf-8")
    except OSError as error:
        complain(f"{directory}: cannot be written: {error.strerror}")
        return ExitStatus.INVALID
    job, sample = directory / "job.py", directory / "sample.txt"
    say(f"written: {', '.join(str(directory / each) for each in FILES)}\n")
    say(f"run it:    podreduce run {job} {sample} -o {directory / 'counts'}/")
    say(f"check it:  podreduce test {job} --input {sample}")
    say(f"test it:   python -m pytest {directory}    (pip install pytest)")
    return ExitStatus.COMPLETE
