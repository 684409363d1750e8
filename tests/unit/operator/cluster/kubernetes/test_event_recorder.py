from podreduce_operator.api.crd import JOBS
from podreduce_operator.cluster.kubernetes.event_recorder import build_event, refer_to
from tests.support.builders.jobs import JOB_UID, make_job


def test_an_event_is_about_its_job() -> None:
    event = build_event(
        refer_to(JOBS, make_job(namespace="team")), "Warning", "AttemptFailed", "m-0 failed", 1_795_000_000.0
    )
    assert event["involvedObject"]["uid"] == JOB_UID
    assert event["metadata"]["namespace"] == "team"
    assert (event["type"], event["reason"], event["message"], event["count"]) == (
        "Warning",
        "AttemptFailed",
        "m-0 failed",
        1,
    )
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-18T11:06:40Z"


def test_the_same_thing_said_again_has_the_same_name_and_another_thing_has_not() -> None:
    job = make_job()
    names = [
        build_event(refer_to(JOBS, job), kind, reason, message, now)["metadata"]["name"]
        for kind, reason, message, now in [
            ("Normal", "Mapping", "one", 1.0),
            ("Normal", "Mapping", "one", 2.0),
            ("Normal", "Mapping", "two", 1.0),
            ("Warning", "Mapping", "one", 1.0),
        ]
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_a_long_message_is_cut_to_what_the_api_takes() -> None:
    message = build_event(refer_to(JOBS, make_job()), "Normal", "A", f"{'x' * 5000}: do this", 0.0)["message"]
    assert len(message.encode()) == 1024
    assert message.endswith(": do this")
