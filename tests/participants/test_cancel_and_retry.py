"""POST /api/v1/jobs/{id}/cancel and /retry, in every state. Source: protocol.md; guarantees.md, G5, F43, F46."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from house import HandWorker, ended, finished
from participants.place import Place, beat, received, refuse, refused, rejected
from waiting import until


def cancel(place: Place, job: str) -> httpx2.Response:
    return place.admin.post(f"/api/v1/jobs/{job}/cancel")


def retry(place: Place, job: str) -> httpx2.Response:
    return place.admin.post(f"/api/v1/jobs/{job}/retry")


def test_a_queued_job_ends_at_once_and_nobody_gets_it(place: Place, worker: HandWorker) -> None:
    job = place.submit()

    answer = cancel(place, job)

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert worker.get_job() == []
    assert ended(place.admin, job)["verdict"] == "failed"
    refused(cancel(place, job), 409, "conflict")


@pytest.mark.parametrize("running", [False, True])
def test_a_held_job_is_stopped_by_its_worker(place: Place, worker: HandWorker, *, running: bool) -> None:
    job, attempt = (place.running if running else place.held)(worker)
    before = "running" if running else "assigned"

    assert (cancel(place, job).status_code, place.state(job)) == (200, before)
    assert cancel(place, job).status_code == 200  # once more is the same wish
    assert beat(worker, attempt)["cancel"] == [attempt]
    report = finished(attempt)
    report["result"] |= {"exit_code": None, "signal": "SIGTERM", "reason": "cancelled"}
    assert received(worker.finish(report)) == [attempt]

    done = ended(place.admin, job)
    assert (done["state"], done["verdict"], done["result"]["reason"]) == ("cancelled", "failed", "cancelled")
    assert done["attempts"][0]["state"] == "cancelled"


def test_a_result_that_came_before_the_stop_stands(place: Place, worker: HandWorker) -> None:
    job, attempt = place.running(worker)
    cancel(place, job)

    assert received(worker.finish(finished(attempt))) == [attempt]

    done = ended(place.admin, job)
    assert (done["state"], done["verdict"]) == ("finished", "succeeded")


def test_a_cancelled_job_that_is_refused_does_not_queue_again(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    cancel(place, job)

    assert refuse(worker, attempt)["accepted"] == [attempt]

    assert ended(place.admin, job)["state"] == "cancelled"
    assert worker.get_job() == []


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_job_whose_worker_is_gone_ends_cancelled(quick: Place, *, running: bool) -> None:
    worker = quick.worker()
    job, attempt = (quick.running if running else quick.held)(worker)
    cancel(quick, job)

    assert ended(quick.admin, job)["state"] == "cancelled"

    assert quick.worker("other").get_job() == []
    assert rejected(worker.finish(finished(attempt)).json()) == [(attempt, "lease-lost")]
    assert quick.state(job) == "cancelled"


def test_what_has_finished_stays_finished(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker)
    before = place.job(job)

    refused(cancel(place, job), 409, "conflict")

    assert place.job(job) == before


def test_an_expired_job_cannot_be_cancelled_and_can_be_retried(place: Place, worker: HandWorker) -> None:
    job = place.submit(queue_timeout_s=0.2)
    done = ended(place.admin, job)

    assert (done["state"], done["verdict"]) == ("expired", "failed")
    assert done["message"]
    assert worker.get_job() == []
    refused(cancel(place, job), 409, "conflict")
    assert retry(place, job).json()["state"] == "queued"


@pytest.mark.parametrize("state", ["queued", "assigned", "running"])
def test_only_what_has_ended_runs_once_more(place: Place, worker: HandWorker, state: str) -> None:
    job = place.submit() if state == "queued" else (place.held if state == "assigned" else place.running)(worker)[0]

    refused(retry(place, job), 409, "conflict")

    assert place.state(job) == state


def test_a_retry_is_a_new_try_with_a_new_result(place: Place, worker: HandWorker) -> None:
    job, first = place.ended(worker, exit_code=1)

    answer = retry(place, job)
    assert (answer.json()["state"], answer.json()["verdict"], answer.json()["result"]) == ("queued", None, None)
    [offer] = worker.get_job()
    assert (offer["job_id"], offer["number"]) == (job, 2)
    assert rejected(worker.finish(finished(first)).json()) == [(first, "conflict")]
    received(worker.finish(finished(offer["attempt_id"])))

    done = ended(place.admin, job)
    assert (done["state"], done["verdict"], done["result"]["exit_code"]) == ("finished", "succeeded", 0)
    assert [(one["number"], one["result"]["exit_code"]) for one in done["attempts"]] == [(1, 1), (2, 0)]


def test_unknown_jobs_are_404_and_viewers_may_not(place: Place) -> None:
    job = place.submit()
    viewer = place.client("view")

    for call in ("cancel", "retry"):
        refused(place.admin.post(f"/api/v1/jobs/nothing/{call}"), 404, "not-found")
        refused(viewer.post(f"/api/v1/jobs/{job}/{call}"), 403, "forbidden")
        refused(place.admin.post(f"/api/v1/jobs/{job}/{call}", json={"why": "x"}), 422, "invalid-request", "body")
    assert place.state(job) == "queued"


def test_cancel_and_finish_in_one_instant_have_one_outcome(place: Place) -> None:
    worker = place.worker()
    held = [place.held(worker) for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for job, attempt in held:
            pool.submit(cancel, place, job)
            pool.submit(worker.finish, finished(attempt))

    for job, attempt in held:
        assert until(lambda job=job: place.job(job)["verdict"]) == "succeeded"  # type: ignore[misc]
        assert place.state(job) == "finished"
        assert received(worker.finish(finished(attempt))) == [attempt]
