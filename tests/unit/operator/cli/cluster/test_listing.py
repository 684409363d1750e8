from podreduce_operator.cli.cluster.kinds import JOB, SCHEDULE
from podreduce_operator.cli.cluster.listing import build_table, render_age
from podreduce_operator.cli.cluster.printing import align
from tests.support.job_manifests import NOW, complete_job, make_job, make_schedule, running_job


def test_jobs_are_a_table_with_the_age_of_the_run() -> None:
    jobs = [complete_job("done"), make_job("new"), running_job()]
    assert build_table(JOB, jobs, NOW, is_wide=False, with_namespace=False) == [
        "NAME        PHASE      MAPS    REDUCES   STARTED   TOOK",
        "done        Complete   16/16   4/4       3m        90s",
        "new         -          -       -         -         -",
        "wordcount   Mapping    4/16    0/4       3m        3m",
    ]


def test_a_wide_table_has_how_far_the_tasks_are_the_run_the_failures_and_why_it_waits() -> None:
    head, row = build_table(JOB, [running_job("QuotaExceeded", "full")], NOW, is_wide=True, with_namespace=True)
    assert head.split()[-6:] == ["PERCENT", "LEFT", "RUN", "FAILURES", "RECORDS", "REASON"]
    assert row.split()[:7] == ["team-a", "wordcount", "Mapping", "4/16", "0/4", "3m", "3m"]
    assert row.split()[7:] == ["31%", "6m40s", "1", "1", "-", "QuotaExceeded"]


def test_schedules_are_a_table_with_their_last_and_next_time() -> None:
    assert build_table(SCHEDULE, [make_schedule()], NOW, is_wide=False, with_namespace=False) == [
        "NAME      SCHEDULE    SUSPENDED   ACTIVE   LAST   NEXT",
        "nightly   0 2 * * *   no          1        10m    in 2h",
    ]


def test_an_age_has_at_least_two_of_its_unit() -> None:
    assert [render_age(seconds) for seconds in (None, 0, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "-",
        "0s",
        "119s",
        "2m",
        "119m",
        "2h",
        "47h",
        "2d",
    ]


def test_a_last_column_is_wrapped_beside_the_others_or_below_them() -> None:
    rows = [("A", "B"), ("x", "one two three four five six seven eight nine ten eleven twelve")]
    assert align(rows, 50) == [
        "A   B",
        "x   one two three four five six seven eight nine",
        "    ten eleven twelve",
    ]
    assert align([("A" * 20, "B"), ("x", "one two three four five six seven")], 30) == [
        f"{'A' * 20}   B",
        "x",
        "    one two three four five",
        "    six seven",
    ]
