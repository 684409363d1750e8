from podreduce_operator.policy.counter_totals import BUILT_IN_GROUP, is_measure, total_counters
from tests.support.builders.records import make_commit, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task

WAYS = {(BUILT_IN_GROUP, "declaredTasks"): 2, (BUILT_IN_GROUP, "combineInput"): 20}


def test_measures_ways_and_the_programs_counters_are_added_up() -> None:
    commits = [
        make_commit(map_task(0), records_in=3),
        make_commit(map_task(1), records_in=4),
        make_commit(reduce_task(0), records_in=7, spills=2),
    ]
    totals = total_counters(commits, {**WAYS, ("words", "long"): 7})
    shown = {name: value for (_, name), value in totals.items()}
    assert {name: shown[name] for name in ("mapRecordsIn", "reduceRecordsIn", "mapSpills", "reduceSpills")} == {
        "mapRecordsIn": 7,
        "reduceRecordsIn": 7,
        "mapSpills": 0,
        "reduceSpills": 2,
    }
    assert (shown["declaredTasks"], shown["combineInput"], shown["long"]) == (2, 20, 7)
    assert "mapBadRecords" not in shown


def test_bad_records_are_a_measure_where_any_may_be_skipped() -> None:
    totals = total_counters([make_commit(quarantine=make_quarantine(2)), make_commit(map_task(1))], {})
    assert totals[BUILT_IN_GROUP, "mapBadRecords"] == 2


def test_only_measures_of_the_built_in_group_are_shown_in_the_status() -> None:
    totals = total_counters([make_commit()], {**WAYS, ("mine", "mapRecordsIn"): 1})
    assert {name for group, name in totals if is_measure(group, name)} == {
        "mapRecordsIn",
        "mapBytesIn",
        "mapRecordsOut",
        "mapBytesOut",
        "mapSpills",
    }
    assert not is_measure("mine", "mapRecordsIn")
