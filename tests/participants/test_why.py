"""Why a job waits: GET /api/v1/jobs/{id}/why, and the function that makes reasons of facts."""

from datetime import datetime, timedelta

import msgspec
import pytest

from house import Json, ended
from participants.place import Place, beat, refused
from participants.test_turns import submit, tokens_of
from rota.jobs.why import competing, reasons
from rota.protocol.conditions import Condition
from rota.protocol.ids import JobId, WorkerId
from rota.protocol.placement import QueueKey
from rota.protocol.states import JobState
from rota.protocol.status import WorkerStatus
from rota.protocol.wire import parse_timestamp, timestamp
from rota.protocol.worker import Worker
from rota.storage.stores.standings import LINE_MAX, Line, Neighbour, Standing

NOW: datetime = parse_timestamp("2026-11-24T12:00:00.000000Z")
KEY = QueueKey("lab", "process", {})
WAITING = Standing(
    job_id=JobId("j"), state=JobState.WAITING, environment="lab", queue=1, key=KEY, tries=0, was_offered=False,
    is_undecided=False, unmet=0, ready_at=None, is_seated=False, group_name=None, group_limit=None, parallel_max=None,
)  # fmt: skip
QUEUED = msgspec.structs.replace(WAITING, state=JobState.QUEUED)


def worker(name: str = "w", free_slots: int = 0, **facts: object) -> Worker:
    """A worker of the lab that is there."""
    made = Worker(
        WorkerId(name), name, "lab", {}, ["process"], 1, free_slots, WorkerStatus.WORKING, [], "", timestamp(NOW), None
    )
    return msgspec.structs.replace(made, **facts)


def said(standing: Standing, workers: list[Worker] | None = None, line: Line | None = None) -> dict[str, str]:
    """The reasons' words, by their codes."""
    found = reasons(standing, workers, line, NOW)
    assert len({reason.code for reason in found}) == len(found)
    return {str(reason.code): reason.message for reason in found}


def wants(**labels: str) -> Standing:
    """A queued job that requires these."""
    return msgspec.structs.replace(QUEUED, key=msgspec.structs.replace(KEY, requires=labels))


def held(**facts: object) -> Standing:
    """A job that the gate holds back."""
    return msgspec.structs.replace(WAITING, **facts)


def test_no_worker_has_it_and_what_they_have_instead() -> None:
    workers = [
        *(worker(f"t{n}", labels={"gpu": "t4"}) for n in range(3)),
        worker("v", labels={"gpu": "v100"}),
        worker(),
    ]

    assert said(wants(gpu="a100"), workers) == {"no_worker": "no worker has gpu=a100 (3 have gpu=t4, 1 has gpu=v100)"}


def test_no_worker_has_all_of_it_though_each_label_is_there() -> None:
    workers = [worker("a", labels={"gpu": "a100"}), worker("b", labels={"os": "linux"})]

    assert said(wants(gpu="a100", os="linux"), workers) == {"no_worker": "no worker has all of os=linux, gpu=a100"}


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        (None, "the registry does not answer: nobody can tell which workers there are"),
        ([], "no worker is there in the environment lab"),
        ([worker(status=WorkerStatus.LOST)], "no worker that fits takes jobs: 1 lost"),
        (
            [worker(draining=True), worker(status=WorkerStatus.DRAINING), worker(status=WorkerStatus.OFFLINE)],
            "no worker that fits takes jobs: 2 drained, 1 offline",
        ),
        ([worker(executors=["container"])], "no worker has executor=process"),
    ],
)  # fmt: skip
def test_no_worker_is_there_for_it(workers: list[Worker] | None, words: str) -> None:
    assert said(QUEUED, workers) == {"no_worker": words}


def test_workers_that_fit_are_busy_until_one_of_them_is_free() -> None:
    busy = [worker("a"), worker("b"), worker("gone", 1, status=WorkerStatus.LOST), worker("drained", 1, draining=True)]

    assert said(QUEUED, busy) == {"workers_busy": "all 2 fitting workers are busy"}
    assert said(QUEUED, busy[1:]) == {"workers_busy": "the only worker that fits is busy: b"}
    assert said(QUEUED, [*busy, worker("c", free_slots=1)]) == {}


def asks(**resources: float) -> Standing:
    """A queued job that needs these for itself."""
    return msgspec.structs.replace(QUEUED, key=msgspec.structs.replace(KEY, resources=resources))


def test_conditions_and_amounts_that_no_worker_meets_are_told_as_they_are_written() -> None:
    condition = msgspec.structs.replace(KEY, requires={"cuda": Condition(ge="12.2"), "os": ["linux", "mac"]})
    workers = [worker(labels={"cuda": "11.8", "os": "mac"}, resources={"cpus": 8}), worker(resources={"cpus": 4})]

    assert said(msgspec.structs.replace(QUEUED, key=condition), workers) == {
        "no_worker": "no worker has cuda>=12.2 (1 has cuda=11.8)"
    }
    assert said(asks(cpus=64, gpus=1), workers) == {"no_worker": "no worker has cpus 64 (the most is 8), gpus 1"}


def test_a_job_that_no_worker_has_room_for_now() -> None:
    [big] = workers = [worker("big", free_slots=3, resources={"cpus": 8})]
    passed = msgspec.structs.replace(asks(cpus=8), is_passed_over=True)

    assert said(asks(cpus=8), workers) == {}
    assert said(passed, workers) == {"workers_busy": "no worker that fits has cpus 8 free now"}
    assert said(msgspec.structs.replace(passed, reserved_by=big.worker_id), workers) == {
        "workers_busy": "no worker that fits has cpus 8 free now; big takes nothing that stands behind it"
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line(1, 0), "it is the next in its queue"),
        (Line(2, 1), "place 2 in its queue: 1 goes first, 1 of other submitters"),
        (Line(17, 3), "place 17 in its queue: 16 go first, 3 of other submitters"),
        (Line(17, 0), "place 17 in its queue: 16 go first"),
        (Line(LINE_MAX, 5), "place 10,000 or more in its queue"),
    ],
)
def test_its_place(line: Line, words: str) -> None:
    assert said(QUEUED, [worker(free_slots=1)], line) == {"place": words}


def test_what_the_gate_waits_for() -> None:
    in_12_s, tomorrow = timestamp(NOW + timedelta(seconds=12)), timestamp(NOW + timedelta(days=1))
    other = Neighbour(JobId("x"), "x", JobState.RUNNING)
    group = held(group_name="deploy", group_limit=1, holder_count=1, holders=[other])

    assert said(held(unmet=1, needed=[other])) == {"needs": "waits for job x (running)"}
    assert said(held(parts_left=3)) == {"needs": "3 of its parts have no verdict yet"}
    rate = {"group_name": "deploy", "group_limit": 9, "rate_count": 10, "rate_per_s": 60.0, "rate_opens_at": in_12_s}
    assert said(held(**rate)) == {"limit": f"group deploy lets in 10 in 60 s; the next at {in_12_s}"}
    assert said(held(ready_at=tomorrow)) == {"not_before": f"not before {tomorrow}"}
    assert said(held(ready_at=in_12_s, tries=1, was_offered=True)) == {"backoff": "backoff, try 2 in 12 s"}
    assert said(held(ready_at=tomorrow, was_offered=True)) == {"backoff": f"backoff, try 1 at {tomorrow}"}
    assert said(held(is_undecided=True, tries=1)) == {"backoff": "the scheduler has not said yet what follows try 1"}
    assert said(group) == {"group": "group deploy is at its limit 1, behind job x (running)"}
    assert said(held(parallel_max=4, parts_seated=4)) == {
        "limit": "max_parallel of its array is 4, and so many parts are queued or run"
    }


def test_an_end_on_which_the_scheduler_has_not_spoken_waits_for_its_word() -> None:
    ended = held(state=JobState.FINISHED, tries=2)

    assert said(msgspec.structs.replace(ended, is_undecided=True)) == {
        "backoff": "the scheduler has not said yet what follows try 2"
    }
    assert said(ended) == {}


def test_what_holds_nothing_back_any_more_is_not_said() -> None:
    assert said(held(ready_at=timestamp(NOW - timedelta(seconds=1)))) == {}
    assert said(held(group_name="deploy", group_limit=2, holder_count=1)) == {}
    assert said(held(group_name="deploy", group_limit=1, holder_count=1, is_seated=True)) == {}
    assert said(held(parallel_max=4, parts_seated=3)) == {}


def test_many_that_are_before_it_in_a_group_are_told_in_part() -> None:
    holders = [Neighbour(JobId(name), None, JobState.QUEUED) for name in "abc"]
    [reason] = reasons(held(group_name="g", group_limit=5, holder_count=5, holders=holders), [], None, NOW)

    assert reason.message == "group g is at its limit 5, behind 5 jobs: a (queued), b (queued), c (queued), 2 more"
    assert reason.job_ids == ["a", "b", "c"]


def test_a_place_is_counted_among_all_that_its_workers_are_given() -> None:
    keys = {
        1: KEY, 2: QueueKey("lab", "process", {"gpu": "t4"}), 3: QueueKey("lab", "process", {"gpu": "a100"}),
        4: QueueKey("other", "process", {}),
    }  # fmt: skip

    assert competing(keys, QUEUED, [worker(labels={"gpu": "t4"})]) == [1, 2]
    assert competing(keys, QUEUED, []) == [1]


def why(place: Place, job: str) -> Json:
    """As the server answers."""
    answer = place.admin.get(f"/api/v1/jobs/{job}/why")
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def test_a_queued_job_is_told_its_worker_and_its_place(place: Place) -> None:
    place.worker("small", labels={"gpu": "t4"})
    many, one = tokens_of(place, None, None)
    submit(many, 5, requires={"gpu": "a100"})
    [job] = submit(one, 1, requires={"gpu": "a100"})

    told = why(place, job)

    assert told["state"] == "queued"
    assert [reason["code"] for reason in told["reasons"]] == ["no_worker", "place"]
    assert told["reasons"][0]["message"] == "no worker is there in the environment " + place.name


def test_the_labels_that_workers_have_are_told_and_who_is_busy(place: Place) -> None:
    t4 = place.worker("t4", labels={"gpu": "t4"})
    assert t4.status("ready_for_work").status_code == 200
    [nowhere] = submit(place.client("submit"), 1, requires={"gpu": "a100"})
    running, attempt = place.running(t4)
    working = {"status": "working", "attempts": [attempt], "free_slots": 0}
    assert t4.post("/registry/v1/status", working).status_code == 200
    waits = place.submit()

    assert why(place, nowhere)["reasons"][0]["message"] == "no worker has gpu=a100 (1 has gpu=t4)"
    [busy, at] = why(place, waits)["reasons"]
    assert busy == {"code": "workers_busy", "message": "the only worker that fits is busy: t4"}
    assert (at["code"], at["place"], at["message"]) == ("place", 1, "it is the next in its queue")
    assert why(place, running) == {"state": "running", "reasons": []}
    beat(t4, attempt)


def test_a_job_that_waits_for_its_time_is_told_which(place: Place) -> None:
    at = "2999-01-01T00:00:00.000000Z"
    job = place.submit(not_before=at)

    assert why(place, job)["reasons"] == [{"code": "not_before", "message": f"not before {at}", "at": at}]


def test_a_job_that_needs_another_is_told_which(place: Place) -> None:
    needed = place.submit(name="build")
    job = place.submit(needs=[needed])

    assert why(place, job) == {
        "state": "waiting",
        "reasons": [{"code": "needs", "message": "waits for job build (queued)", "job_ids": [needed]}],
    }


def test_a_job_of_a_full_group_is_told_behind_whom(place: Place) -> None:
    first, second = (place.submit(concurrency={"group": "deploy"}) for _ in range(2))

    [reason] = why(place, second)["reasons"]

    assert reason == {
        "code": "group",
        "message": f"group deploy is at its limit 1, behind job {first} (queued)",
        "job_ids": [first],
    }


def test_an_array_waits_for_its_parts_and_a_part_for_a_seat(place: Place) -> None:
    array = place.submit(array=3, max_parallel=1)
    children = place.job(array)["children"]

    assert [reason["message"] for reason in why(place, array)["reasons"]] == ["3 of its parts have no verdict yet"]
    [limit] = why(place, children[-1])["reasons"]
    assert limit == {"code": "limit", "message": "max_parallel of its array is 1, and so many parts are queued or run"}


def test_a_job_that_was_passed_over_is_told_what_is_not_free(place: Place) -> None:
    big = place.worker("big", resources={"cpus": 2}, slots=4)
    place.held(big, resources={"cpus": 1})
    assert big.status("working").status_code == 200
    waits = place.submit(resources={"cpus": 2})
    assert big.get_job() == []

    told = why(place, waits)["reasons"]

    assert told[0] == {"code": "workers_busy", "message": "no worker that fits has cpus 2 free now"}


def test_a_place_deep_in_the_queue_is_told_in_time(place: Place) -> None:
    mine, others = tokens_of(place, None, None)
    jobs = [job for _ in range(2) for job in submit(mine, 10_000)]
    submit(others, 5)

    told = {job: why(place, job)["reasons"][-1] for job in (jobs[0], jobs[20], jobs[-1])}

    assert told[jobs[0]]["message"] == "it is the next in its queue"
    assert told[jobs[20]]["message"] == "place 26 in its queue: 25 go first, 5 of other submitters"
    assert (told[jobs[-1]]["message"], told[jobs[-1]]["place"]) == ("place 10,000 or more in its queue", 10_000)


def test_a_foreign_job_and_an_unknown_one_are_told_alike(place: Place, quick: Place) -> None:
    job = place.submit()

    for path in (job, "0192f3a1-0000-7000-8000-000000000000"):
        refused(quick.client("view").get(f"/api/v1/jobs/{path}/why"), 404, "not-found")


def test_an_ended_job_waits_for_nothing(place: Place) -> None:
    job = place.submit()
    assert place.admin.post(f"/api/v1/jobs/{job}/cancel").status_code == 200
    ended(place.admin, job)

    assert why(place, job) == {"state": "cancelled", "reasons": []}
