"""POST /registry/v1/status and what people see of workers. Source: protocol.md, "status"; flows.md."""

import pytest

from house import HandWorker, Json, finished
from participants.place import MOMENT, UUID7, Place, beat, received, refuse, refused
from rota.protocol.incarnation import numbered
from waiting import until


def seen(place: Place, worker: HandWorker) -> Json:
    found: Json = place.admin.get(f"/api/v1/workers/{worker.id}").json()
    return found


@pytest.mark.parametrize("status", ["working", "ready_for_work", "draining", "offline"])
def test_a_status_is_received_and_shown(place: Place, worker: HandWorker, status: str) -> None:
    answer = worker.status(status, "a1", "a2")

    assert (answer.status_code, answer.json()["received"]) == (200, True)
    shown = seen(place, worker)
    assert (shown["status"], shown["attempts"], shown["free_slots"]) == (status, ["a1", "a2"], 1)
    assert MOMENT.match(shown["last_seen_at"])


def test_an_incarnation_that_is_too_long_is_refused_and_not_cut(place: Place, worker: HandWorker) -> None:
    worker.http.headers["Rota-Incarnation"] = "x" * 201

    refused(worker.status("ready_for_work"), 422, "invalid-request", "Rota-Incarnation")

    assert seen(place, worker)["status"] == "offline"


WRONG: list[tuple[Json, str]] = [
    ({"status": "lost", "attempts": [], "free_slots": 0}, "status"),
    ({"status": "bored", "attempts": [], "free_slots": 0}, "status"),
    ({"status": "working", "free_slots": 0}, "attempts"),
    ({"status": "working", "attempts": []}, "free_slots"),
    ({"status": "working", "attempts": [1], "free_slots": 0}, "attempts[0]"),
    ({"status": "working", "attempts": [], "free_slots": -1}, "free_slots"),
    ({"status": "working", "attempts": [], "free_slots": 0, "worker_id": "x"}, "worker_id"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=str)
def test_a_status_that_is_wrong_is_no_permission(place: Place, worker: HandWorker, body: Json, field: str) -> None:
    refused(worker.post("/registry/v1/status", body), 422, "invalid-request", field)

    assert seen(place, worker)["status"] == "offline"


@pytest.mark.parametrize("what", ["cancelled", "refused", "finished", "lost", "another's"])
def test_what_is_no_longer_the_workers_to_start_gets_no_permission(quick: Place, what: str) -> None:
    """Source: guarantees.md, F11."""
    worker = quick.worker("asks")
    asks = quick.worker("asks too") if what == "another's" else worker
    job, attempt = quick.held(worker)
    if what == "cancelled":
        quick.admin.post(f"/api/v1/jobs/{job}/cancel")
    elif what == "refused":
        refuse(worker, attempt)
    elif what == "finished":
        received(worker.finish(finished(attempt)))
    elif what == "lost":
        until(lambda: quick.state(job) == "queued")
    before = quick.job(job)

    problem = refused(asks.status("working", attempt), 409, "lease-lost")

    assert attempt in problem["detail"]
    assert seen(quick, asks)["attempts"] == []
    flow = quick.admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
    assert [message["name"] for message in flow if message["name"].startswith("status")] == []
    assert quick.job(job) == before or what == "finished"  # its verdict may have come meanwhile


def test_a_permission_stays_whatever_becomes_of_the_job(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    assert worker.status("working", attempt).status_code == 200
    place.admin.post(f"/api/v1/jobs/{job}/cancel")

    assert worker.status("working", attempt).status_code == 200
    assert worker.status("ready_for_work").status_code == 200
    assert worker.status("working", attempt).status_code == 200  # late, and no news

    assert seen(place, worker)["attempts"] == [attempt]


def test_a_worker_is_shown_as_it_enrolled(place: Place) -> None:
    worker = place.worker("anna", labels={"os": "linux"}, slots=7, executors=["process"], version="9.1")

    shown = seen(place, worker)

    assert UUID7.match(shown["worker_id"])
    assert MOMENT.match(shown["enrolled_at"])
    expected = {
        "worker_id": worker.id, "name": "anna", "environment": place.name, "labels": {"os": "linux"}, "slots": 7,
        "executors": ["process"], "version": "9.1", "status": "offline", "last_seen_at": None, "attempts": [],
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected
    listed = place.admin.get("/api/v1/workers", params={"environment": place.name}).json()
    assert listed == {"workers": [shown]}
    assert place.admin.get(f"/registry/v1/workers/{worker.id}").json() == shown


def test_a_late_word_of_an_earlier_start_takes_nothing_from_the_present_one(place: Place) -> None:
    """Also where the earlier start had never been heard of. Source: guarantees.md, F23."""
    worker = place.worker(incarnation=numbered(8, bytes(10)))
    worker.status("ready_for_work")
    _, attempt = place.held(worker)
    worker.http.headers["Rota-Incarnation"] = numbered(7, bytes(10))

    refused(worker.status("ready_for_work"), 409, "conflict")

    worker.http.headers["Rota-Incarnation"] = numbered(8, bytes(10))
    assert worker.status("working", attempt).status_code == 200
    assert beat(worker, attempt)["lost"] == []


def test_workers_of_elsewhere_are_unknown(place: Place, quick: Place) -> None:
    worker, viewer = quick.worker(), place.client("view")

    assert viewer.get("/api/v1/workers").json() == {"workers": []}
    foreign = refused(viewer.get(f"/api/v1/workers/{worker.id}"), 404, "not-found")
    assert refused(viewer.get("/api/v1/workers/nobody"), 404, "not-found") == foreign
    refused(place.client("admin").post(f"/api/v1/workers/{worker.id}/drain"), 404, "not-found")
    assert "drain" not in [name for name, value in worker.status("working").json().items() if value is True]


def test_unseen_for_three_heartbeats_it_is_lost_and_back_with_its_next_word(quick: Place) -> None:
    worker = quick.worker()
    worker.status("ready_for_work")

    until(lambda: seen(quick, worker)["status"] == "lost", 10)

    worker.status("ready_for_work")
    assert seen(quick, worker)["status"] == "ready_for_work"


def test_offline_stays_offline(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    other.status("ready_for_work")

    worker.status("offline")

    until(lambda: seen(quick, other)["status"] == "lost", 10)
    assert seen(quick, worker)["status"] == "offline"


def test_a_drain_reaches_the_worker_with_its_next_status(place: Place, worker: HandWorker) -> None:
    assert worker.status("ready_for_work").json() == {"received": True, "drain": False}

    answer = place.admin.post(f"/api/v1/workers/{worker.id}/drain")

    assert (answer.status_code, answer.json()["draining"]) == (200, True)
    assert worker.status("working").json() == {"received": True, "drain": True}
    worker.status("offline")
    assert worker.status("ready_for_work").json() == {"received": True, "drain": False}
