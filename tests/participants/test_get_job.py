"""POST /gateway/v1/get-job. Source: protocol.md, "getJob"; flows.md; guarantees.md, G2, F5, F13."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from house import HandWorker, Json, described, finished
from participants.place import UUID7, Place, beat, received, refuse, refused
from waiting import until

CALL = "/gateway/v1/get-job"


def test_no_job_is_204_without_a_body_and_not_degraded(worker: HandWorker) -> None:
    answer = worker.post(CALL, {"slots": 1, "wait_s": 0})

    assert (answer.status_code, answer.content) == (204, b"")
    assert "rota-degraded" not in answer.headers
    assert "retry-after" not in answer.headers


def test_an_offer_has_all_that_a_worker_needs(place: Place, worker: HandWorker) -> None:
    job = place.submit(env={"A": "1"}, inputs=[{"path": "in/x", "content": "aGVsbG8="}], timeout_s=5)

    answer = worker.post(CALL, {"slots": 1, "wait_s": 0})

    assert answer.status_code == 200
    assert set(answer.json()) == {"jobs"}
    [offer] = answer.json()["jobs"]
    assert set(offer) == {"attempt_id", "job_id", "number", "lease_s", "spec", "inputs", "secrets"}
    assert UUID7.match(offer["attempt_id"])
    assert (offer["job_id"], offer["number"], offer["lease_s"], offer["secrets"]) == (job, 1, 30, {})
    assert offer["inputs"] == [{"path": "in/x", **described(b"hello")}]
    assert (offer["spec"]["command"], offer["spec"]["env"], offer["spec"]["timeout_s"]) == (["true"], {"A": "1"}, 5)
    assert place.state(job) == "assigned"
    assert worker.get_job() == []


def test_many_at_once_by_priority_then_age(place: Place, worker: HandWorker) -> None:
    jobs = [place.submit(priority=priority) for priority in (0, 5, -5, 5, 0)]

    offers = worker.get_job(slots=4)

    assert [offer["job_id"] for offer in offers] == [jobs[1], jobs[3], jobs[0], jobs[4]]
    assert [offer["job_id"] for offer in worker.get_job(slots=4)] == [jobs[2]]


def test_only_what_the_worker_can_run(place: Place) -> None:
    plain = place.worker("plain")
    gpu = place.worker("gpu", labels={"gpu": "a100", "os": "linux"})
    wants = place.submit(requires={"gpu": "a100"})

    assert plain.get_job() == []
    assert place.worker("other", labels={"gpu": "v100"}).get_job() == []
    assert place.worker("container", executors=["container"]).get_job() == []
    assert [offer["job_id"] for offer in gpu.get_job()] == [wants]


def test_a_job_of_another_environment_is_never_given(place: Place, quick: Place) -> None:
    place.submit()

    assert quick.worker().get_job() == []


def test_a_held_question_is_answered_when_a_job_comes(place: Place, worker: HandWorker) -> None:
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        held = pool.submit(worker.get_job, 1, 30)
        assert not held.done()
        job = place.submit()
        assert [offer["job_id"] for offer in held.result(10)] == [job]
        assert time.monotonic() - began < 10


def test_a_question_is_held_no_longer_than_asked(worker: HandWorker) -> None:
    began = time.monotonic()

    assert worker.get_job(wait_s=0.3) == []

    assert 0.3 <= time.monotonic() - began < 3


def test_the_same_request_again_gives_the_same_offers(place: Place, worker: HandWorker) -> None:
    for _ in range(3):
        place.submit()
    first = worker.get_job(slots=2, request_id="r1")

    assert len(first) == 2
    assert worker.get_job(slots=2, request_id="r1") == first
    assert [offer["job_id"] for offer in place.worker("other").get_job(slots=9, request_id="r1")] != []


@pytest.mark.parametrize("end", ["finished", "refused"])
def test_the_same_request_is_a_new_one_when_an_offer_is_over(place: Place, worker: HandWorker, end: str) -> None:
    place.submit()
    place.submit()
    first = worker.get_job(slots=2, request_id="r1")
    attempt = first[0]["attempt_id"]
    if end == "finished":
        received(worker.finish(finished(attempt)))
    else:
        refuse(worker, attempt)

    again = worker.get_job(slots=2, request_id="r1")

    assert attempt not in {offer["attempt_id"] for offer in again}
    assert first[1]["attempt_id"] not in {offer["attempt_id"] for offer in again}
    assert len(again) == (0 if end == "finished" else 1)


def test_a_worker_that_hung_up_is_leased_nothing(place: Place, worker: HandWorker) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        worker.http.post(CALL, json={"slots": 1, "wait_s": 30}, timeout=0.3)

    metrics = place.admin.get("/metrics").text
    until(lambda: "rota_get_job_held 0.0" in place.admin.get("/metrics").text, 5, metrics)
    job = place.submit()
    assert [offer["job_id"] for offer in place.worker("other").get_job()] == [job]


def test_fifty_workers_and_no_job_is_given_twice(place: Place) -> None:
    workers = [place.worker(f"w{number}") for number in range(10)]
    body = {"jobs": [{"command": ["true"], "environment": place.name}] * 200}
    jobs = {job["id"] for job in place.admin.post("/api/v1/jobs", json=body).json()["jobs"]}

    with ThreadPoolExecutor(50) as pool:
        rounds = list(pool.map(lambda number: workers[number % 10].get_job(slots=7), range(50)))

    given = [offer["job_id"] for offers in rounds for offer in offers]
    assert len(given) == len(set(given)) == 200
    assert set(given) == jobs
    assert len({offer["attempt_id"] for offers in rounds for offer in offers}) == 200


WRONG: list[tuple[Json, str]] = [
    ({"wait_s": 0}, "slots"),
    ({"slots": 1}, "wait_s"),
    ({"slots": 0, "wait_s": 0}, "slots"),
    ({"slots": "1", "wait_s": 0}, "slots"),
    ({"slots": True, "wait_s": 0}, "slots"),
    ({"slots": 1.5, "wait_s": 0}, "slots"),
    ({"slots": 1, "wait_s": 61}, "wait_s"),
    ({"slots": 1, "wait_s": -1}, "wait_s"),
    ({"slots": 1, "wait_s": "0"}, "wait_s"),
    ({"slots": 1, "wait_s": 0, "request_id": 5}, "request_id"),
    ({"slots": 1, "wait_s": 0, "worker_id": "me"}, "worker_id"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=str)
def test_a_question_that_is_wrong_is_refused_by_name(place: Place, worker: HandWorker, body: Json, field: str) -> None:
    job = place.submit()

    refused(worker.post(CALL, body), 422, "invalid-request", field)

    assert place.state(job) == "queued"


def test_a_heartbeat_shows_that_it_runs_and_names_what_is_not_held(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    stranger = place.worker("stranger")

    assert beat(stranger, attempt)["lost"] == [attempt]
    assert place.state(job) == "assigned"
    assert beat(worker, attempt, "unknown") == {"lease_s": 30, "cancel": [], "lost": ["unknown"]}

    shown = place.job(job)
    assert (shown["state"], shown["attempts"][0]["state"]) == ("running", "running")


def test_heartbeats_body_is_checked(worker: HandWorker) -> None:
    for body, field in (({}, "attempts"), ({"attempts": "x"}, "attempts"), ({"attempts": [], "x": 1}, "x")):
        refused(worker.post("/gateway/v1/heartbeat", body), 422, "invalid-request", field)
