"""Leases: renewed, run out, fenced, released. Source: protocol.md, "heartbeat"; guarantees.md, G2, G6, G8, F6, F42."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from house import HandWorker, Json, ended, finished
from participants.place import Place, beat, received, refuse, refused, rejected
from waiting import until


def lost(place: Place, job: str) -> Json:
    """The job, once its first attempt was lost."""
    return until(lambda: (found := place.job(job))["attempts"][0]["state"] == "lost" and found, 10)


def test_a_heartbeat_for_nothing_is_answered_with_the_environments_lease(quick: Place) -> None:
    worker = quick.worker()

    assert beat(worker) == {"lease_s": 0.6, "cancel": [], "lost": []}
    assert beat(worker, "unknown") == {"lease_s": 0.6, "cancel": [], "lost": ["unknown"]}


def test_a_job_that_never_showed_life_is_offered_anew_and_no_try_is_counted(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.held(worker)
    assert other.get_job() == []

    [offer] = other.get_job(wait_s=10)

    assert (offer["job_id"], offer["number"]) == (job, 1)
    assert offer["attempt_id"] > attempt
    assert [one["state"] for one in quick.job(job)["attempts"]] == ["lost", "assigned"]


def test_a_job_whose_worker_was_permitted_to_run_it_counts_as_tried_though_nobody_saw_it_run(quick: Place) -> None:
    """Source: guarantees.md, G4: only an offer that was never acknowledged uses no attempt."""
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.held(worker)
    worker.status("working", attempt)

    [offer] = other.get_job(wait_s=10)

    assert (offer["job_id"], offer["number"]) == (job, 2)


def test_a_job_that_ran_is_tried_again_and_the_try_counts(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, _ = quick.running(worker)

    [offer] = other.get_job(wait_s=10)

    assert (offer["job_id"], offer["number"]) == (job, 2)


def test_heartbeats_keep_a_lease(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.running(worker)
    with ThreadPoolExecutor(1) as pool:
        given = pool.submit(other.get_job, 1, 2)
        while not given.done():
            assert beat(worker, attempt) == {"lease_s": 0.6, "cancel": [], "lost": []}
        assert given.result() == []

    assert quick.state(job) == "running"
    assert received(worker.finish(finished(attempt))) == [attempt]


def test_whoever_lost_a_lease_changes_nothing_any_more(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.running(worker)
    [offer] = other.get_job(wait_s=10)
    assert beat(other, offer["attempt_id"])["lost"] == []
    before = quick.job(job)
    base = f"/gateway/v1/attempts/{attempt}"

    assert beat(worker, attempt)["lost"] == [attempt]
    assert rejected(worker.finish(finished(attempt, b"stale")).json()) == [(attempt, "lease-lost")]
    assert rejected(refuse(worker, attempt)) == [(attempt, "lease-lost")]
    for path in ("log", "artifacts/x"):
        stale = worker.http.patch(f"{base}/{path}", content=b"stale", headers={"Upload-Offset": "0"})
        refused(stale, 409, "lease-lost")
        assert worker.http.head(f"{base}/{path}").status_code == 409
    refused(worker.http.get(f"{base}/inputs/x"), 409, "lease-lost")

    assert quick.job(job) == before
    assert quick.admin.get(f"/api/v1/jobs/{job}/log").content == b""
    assert received(other.finish(finished(offer["attempt_id"], b"fresh"))) == [offer["attempt_id"]]
    assert rejected(worker.finish(finished(attempt, b"stale")).json()) == [(attempt, "lease-lost")]
    assert quick.admin.get(f"/api/v1/jobs/{job}/log").content == b"fresh"
    assert quick.job(job)["result"]["exit_code"] == 0


def test_a_job_whose_workers_vanish_one_after_the_other_is_lost_in_the_end(quick: Place) -> None:
    worker = quick.worker()
    job, _ = quick.running(worker)
    for number in (2, 3):
        [offer] = worker.get_job(wait_s=10)
        assert offer["number"] == number
        beat(worker, offer["attempt_id"])

    done = ended(quick.admin, job)

    assert (done["state"], done["verdict"], done["result"]) == ("lost", "failed", None)
    assert "vanished" in done["message"]
    assert [one["state"] for one in done["attempts"]] == ["lost"] * 3
    assert worker.get_job() == []
    assert quick.admin.post(f"/api/v1/jobs/{job}/retry").json()["state"] == "queued"
    assert worker.get_job()[0]["number"] == 4


@pytest.mark.parametrize("running", [False, True])
def test_a_new_incarnation_releases_at_once_what_it_does_not_name(place: Place, *, running: bool) -> None:
    worker = place.worker()
    kept_job, kept = place.running(worker)
    job, dropped = (place.running if running else place.held)(worker)
    worker.http.headers["Rota-Incarnation"] = "two"

    assert worker.status("working", kept).json()["received"] is True

    assert lost(place, job)["attempts"][0]["attempt_id"] == dropped
    assert place.state(kept_job) == "running"
    assert beat(worker, kept, dropped) == {"lease_s": 30, "cancel": [], "lost": [dropped]}
    [offer] = place.worker("other").get_job(wait_s=10)
    assert (offer["job_id"], offer["number"]) == (job, 2 if running else 1)
    assert rejected(worker.finish(finished(dropped)).json()) == [(dropped, "lease-lost")]
    assert received(worker.finish(finished(kept))) == [kept]


def test_a_new_incarnation_releases_only_its_own_workers_attempts(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    other = place.worker("other")
    other.status("ready_for_work")
    other.http.headers["Rota-Incarnation"] = "two"

    other.status("working", attempt)  # it may claim what it likes

    assert place.state(job) == "assigned"
    assert beat(other, attempt)["lost"] == [attempt]
    assert beat(worker, attempt)["lost"] == []


def test_a_late_word_of_an_earlier_incarnation_releases_nothing(place: Place) -> None:
    """Source: guarantees.md, F23."""
    worker = place.worker()
    worker.status("ready_for_work")
    worker.http.headers["Rota-Incarnation"] = "two"
    worker.status("ready_for_work")
    job, attempt = place.running(worker)
    worker.status("working", attempt)

    late = worker.http.post(
        "/registry/v1/status",
        json={"status": "working", "attempts": [], "free_slots": 1},
        headers={"Rota-Incarnation": "one"},
    )

    refused(late, 409, "conflict")
    assert beat(worker, attempt)["lost"] == []
    assert place.state(job) == "running"
    assert place.admin.get(f"/api/v1/workers/{worker.id}").json()["attempts"] == [attempt]


def test_the_same_incarnation_releases_nothing_by_what_it_leaves_out(place: Place, worker: HandWorker) -> None:
    job, attempt = place.running(worker)
    worker.status("working", attempt)

    worker.status("ready_for_work")

    assert beat(worker, attempt)["lost"] == []
    assert place.state(job) == "running"


def test_a_worker_without_an_incarnation_has_one_for_ever(place: Place, worker: HandWorker) -> None:
    del worker.http.headers["Rota-Incarnation"]
    _, attempt = place.running(worker)

    for _ in range(2):
        worker.status("ready_for_work")

    assert beat(worker, attempt)["lost"] == []
