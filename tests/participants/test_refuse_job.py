"""POST /gateway/v1/refuse-job. Source: protocol.md, "refuse job"; flows.md, "WorkerRegistry has an Error"."""

import pytest

from house import HandWorker, Json, finished
from participants.place import Place, beat, received, refuse, refused, rejected


def test_a_refused_job_is_back_at_its_old_place_and_the_try_does_not_count(place: Place, worker: HandWorker) -> None:
    first, second = place.submit(), place.submit()
    [offer] = worker.get_job()

    assert refuse(worker, offer["attempt_id"]) == {"accepted": [offer["attempt_id"]], "rejected": []}

    shown = place.job(first)
    assert (shown["state"], shown["attempts"][0]["state"]) == ("queued", "refused")
    [again] = place.worker("other").get_job()
    assert (again["job_id"], again["number"]) == (first, 1)
    assert again["attempt_id"] != offer["attempt_id"]
    assert [one["job_id"] for one in worker.get_job()] == [second]


def test_the_same_refusal_again_is_accepted_again_and_changes_nothing(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    refuse(worker, attempt)
    [offer] = place.worker("other").get_job()

    assert refuse(worker, attempt)["accepted"] == [attempt]

    shown = place.job(job)
    assert shown["state"] == "assigned"
    assert [one["state"] for one in shown["attempts"]] == ["refused", "assigned"]
    assert shown["attempts"][1]["attempt_id"] == offer["attempt_id"]


def test_each_attempt_is_answered_for_itself(place: Place, worker: HandWorker) -> None:
    _, held = place.held(worker)
    _, foreign = place.held(place.worker("other"))
    running_job, running = place.running(worker)
    _, done = place.ended(worker)

    told = refuse(worker, running, foreign, held, "unknown", done)

    assert told["accepted"] == [held]
    assert rejected(told) == [
        (running, "conflict"), (foreign, "not-found"), ("unknown", "not-found"), (done, "conflict"),
    ]  # fmt: skip
    assert place.state(running_job) == "running"
    unknown, other = (one["problem"] for one in told["rejected"] if one["attempt_id"] in {foreign, "unknown"})
    assert unknown == other  # what is foreign is as unknown as what does not exist


def test_nobody_refuses_for_another_worker(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    stranger = place.worker("stranger")

    assert rejected(refuse(stranger, attempt)) == [(attempt, "not-found")]

    assert place.state(job) == "assigned"
    assert stranger.get_job() == []
    assert beat(worker, attempt)["lost"] == []


def test_a_refused_attempt_can_neither_run_nor_finish(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    refuse(worker, attempt)

    assert beat(worker, attempt)["lost"] == [attempt]
    assert rejected(worker.finish(finished(attempt)).json()) == [(attempt, "lease-lost")]
    upload = worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=b"x", headers={"Upload-Offset": "0"})
    refused(upload, 409, "lease-lost")

    shown = place.job(job)
    assert (shown["state"], shown["result"]) == ("queued", None)
    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == b""


def test_a_job_goes_on_from_a_refusal_to_its_end(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    refuse(worker, attempt)
    [offer] = worker.get_job()
    assert received(worker.finish(finished(offer["attempt_id"]))) == [offer["attempt_id"]]

    assert [(one["number"], one["state"]) for one in place.job(job)["attempts"]] == [(1, "refused"), (1, "finished")]


WRONG: list[tuple[Json, str]] = [
    ({}, "attempts"),
    ({"attempts": []}, "attempts"),
    ({"attempts": ["x"]}, "attempts[0]"),
    ({"attempts": [{"attempt_id": "x"}]}, "attempts[0].reason"),
    ({"attempts": [{"attempt_id": "x", "reason": 5}]}, "attempts[0].reason"),
    ({"attempts": [{"attempt_id": "x", "reason": "r", "y": 1}]}, "attempts[0].y"),
    ({"attempts": [{"attempt_id": "x", "reason": "r" * 1001}]}, "attempts[0].reason"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=lambda value: str(value)[:60])
def test_a_refusal_that_is_wrong_is_refused_by_name(worker: HandWorker, body: Json, field: str) -> None:
    refused(worker.post("/gateway/v1/refuse-job", body), 422, "invalid-request", field)
