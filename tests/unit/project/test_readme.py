import re
import subprocess
from pathlib import Path

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
MOST_LINES = 150
BLOCKS = re.findall(r"<!-- quickstart: (\w+) -->\n```bash\n(.*?)```", README, re.DOTALL)


def test_the_quick_starts_blocks_are_in_their_order() -> None:
    assert [name for name, _ in BLOCKS] == ["images", "install", "upload", "run", "read", "remove"]


def test_the_quick_start_makes_its_cluster_first_and_deletes_it_last() -> None:
    commands = "".join(text for _, text in BLOCKS).splitlines()
    assert (commands[0], commands[-1]) == ("kind create cluster", "kind delete cluster")


def test_every_bash_block_is_part_of_the_quick_start() -> None:
    assert README.count("```bash") == len(BLOCKS)


def test_a_newcomer_reads_it_in_one_go() -> None:
    assert README.count("\n") <= MOST_LINES


def test_the_quick_start_is_bash() -> None:
    script = "\n".join(text for _, text in BLOCKS)
    subprocess.run(["bash", "-n", "-c", script], check=True)


def test_files_that_the_readme_links_to_are_there() -> None:
    links = re.findall(r"\]\((?!https:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (Path(__file__).parents[3] / link).exists()] == []
