"""docs/reference.md: the counters that podreduce keeps itself."""

import re

from docs.generator.tables import table
from podreduce.contract.task import CommitRecord, QuarantineRef, TaskRef
from podreduce.program.counters import BUILT_IN_GROUP
from podreduce_operator.history import post_mortem
from podreduce_operator.policy import status

COUNTERS = {
    "RecordsIn": "records read",
    "BytesIn": "bytes read",
    "RecordsOut": "records written: to the shuffle, or to the output",
    "BytesOut": "bytes written",
    "Spills": "how often a task's buffers went to disk",
    "BadRecords": "bad records that were skipped (`badRecords: Skip`)",
}
"""What each built-in counter counts, by the end of its name."""
WAYS = {
    "columnarTasks": "map tasks that ran the columnar way",
    "combineInput": "values given to `combine_func`, `largest:N` and `smallest:N` in maps, and rows to `combine_batch`",
    "combineOutput": "values or rows that it left",
    "declaredTasks": "map tasks that ran the declared way",
    "fusedTasks": "those of the declared and generic ones whose `map_func` was fused",
    "genericTasks": "map tasks that ran the generic way",
    "mapRecordsLeftOut": "records that `input.sample` left out; `mapRecordsIn` counts the others. Also in the status",
}
"""What the counters count that a task has beside the fields of its commit record."""


def list_counters() -> str:
    """Return our own counters, and how many names the status shows."""
    quarantine = QuarantineRef(key="", records=1, kept=1)
    commits = [make_commit("m-0", quarantine=quarantine), make_commit("r-0")]
    meanings = [
        (f"`{name}`", COUNTERS[re.sub(r"^(map|reduce)", "", name)])
        for name in sorted(status.render_counters(commits, {})[BUILT_IN_GROUP])
    ]
    caps = (
        f"\nThe status shows at most {status.MAX_COUNTERS} names in all, these first, then the program's in order of "
        f"group and name.\nIt leaves out the others. Names are cut: groups at {status.MAX_GROUP_NAME} "
        f"bytes, counters at {status.MAX_COUNTER_NAME}.\n\n"
        "The [post-mortem](troubleshooting.md#what-happened-the-post-mortem) has all counters in its field `counters`, "
        f"up to {post_mortem.MAX_COUNTERS:,} whole names,\nand in the group `podreduce` also these, which say "
        "[in which way map tasks ran](performance.md#three-ways-to-run-a-task):\n\n"
    )
    head = ("counter", "what it counts")
    ways = table(head, *((f"`{name}`", meaning) for name, meaning in WAYS.items()))
    return f"{table(head, *meanings)}{caps}{ways}"


def make_commit(task: str, quarantine: QuarantineRef | None = None) -> CommitRecord:
    """Return a commit record in which nothing is missing that is counted."""
    return CommitRecord(
        task=TaskRef.parse(task),
        generation=0,
        attempt_id="",
        pod_name="",
        started_at=0.0,
        finished_at=0.0,
        records_in=1,
        bytes_in=1,
        records_out=1,
        bytes_out=1,
        quarantine=quarantine,
    )
