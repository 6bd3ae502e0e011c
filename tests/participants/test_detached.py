"""`lease_policy: keep`: kept through a partition, for detach_timeout_s. Source: protocol.md, "States"; G2, G5, F46."""

import httpx2
import pytest

from house import HandWorker, Json, ended, finished
from participants.place import Place, beat, received, refuse, refused, rejected
from waiting import until

KEEP: Json = {"lease_policy": "keep"}


def attempt_states(place: Place, job: str) -> list[str]:
    return [one["state"] for one in place.job(job)["attempts"]]


def detached(place: Place, worker: HandWorker, **spec: object) -> tuple[str, str]:
    """A job that ran, and whose worker has been silent for longer than its lease."""
    job, attempt = place.running(worker, **KEEP, **spec)
    until(lambda: attempt_states(place, job) == ["detached"], 5)
    return job, attempt


def act(place: Place, job: str, what: str) -> httpx2.Response:
    return place.admin.post(f"/api/v1/jobs/{job}/{what}")


def test_a_kept_job_is_nobody_elses_and_a_heartbeat_brings_it_back(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = detached(quick, worker)
    assert (quick.state(job), other.get_job(wait_s=1)) == ("running", [])

    assert beat(worker, attempt) == {"lease_s": 0.6, "cancel": [], "lost": []}

    assert attempt_states(quick, job) == ["running"]
    assert received(worker.finish(finished(attempt))) == [attempt]
    assert ended(quick.admin, job)["verdict"] == "succeeded"


def test_what_came_back_is_detached_anew_when_its_worker_is_silent_again(quick: Place) -> None:
    worker = quick.worker()
    job, attempt = detached(quick, worker)
    beat(worker, attempt)

    until(lambda: attempt_states(quick, job) == ["detached"], 5)

    names = [message["name"] for message in quick.admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]]
    told = [name for name in names if name in {"detached", "heartbeat", "lease lost"}]
    assert told == ["detached", "heartbeat", "heartbeat", "detached"]


def test_the_finish_of_a_detached_attempt_is_taken_when_it_comes(quick: Place) -> None:
    worker = quick.worker()
    job, attempt = detached(quick, worker)
    sent = worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=b"all", headers={"Upload-Offset": "0"})
    assert sent.status_code == 204

    for _ in range(2):
        assert received(worker.finish(finished(attempt, b"all", 3))) == [attempt]

    done = ended(quick.admin, job)
    assert (done["state"], done["result"]["exit_code"], attempt_states(quick, job)) == ("finished", 3, ["finished"])
    assert quick.admin.get(f"/api/v1/jobs/{job}/log").content == b"all"


def test_when_the_timeout_is_over_it_is_lost_and_a_late_finish_changes_nothing(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = detached(quick, worker, detach_timeout_s=0.5)

    [offer] = other.get_job(wait_s=10)

    assert (offer["job_id"], offer["number"], attempt_states(quick, job)[0]) == (job, 2, "lost")
    beat(other, offer["attempt_id"])
    before = quick.job(job)
    assert rejected(worker.finish(finished(attempt, b"late")).json()) == [(attempt, "lease-lost")]
    assert beat(worker, attempt)["lost"] == [attempt]
    assert quick.job(job)["attempts"][0] == before["attempts"][0]
    assert quick.job(job)["result"] is None


def test_what_a_new_incarnation_does_not_name_is_lost_at_once_and_what_it_names_stays(quick: Place) -> None:
    worker = quick.worker()
    named_job, named = detached(quick, worker)
    dropped_job, dropped = detached(quick, worker)
    worker.http.headers["Rota-Incarnation"] = "two"

    worker.status("working", named)

    assert attempt_states(quick, dropped_job)[0] == "lost"
    flow = quick.admin.get(f"/api/v1/jobs/{dropped_job}/flow").json()["messages"]
    assert [one["detail"].partition(":")[0] for one in flow if one["name"] == "lease lost"] == ["worker_restarted"]
    assert rejected(worker.finish(finished(dropped)).json()) == [(dropped, "lease-lost")]
    assert attempt_states(quick, named_job) == ["detached"]
    assert beat(worker, named)["lost"] == []
    assert attempt_states(quick, named_job) == ["running"]


def test_what_no_worker_was_permitted_to_start_is_queued_again_also_with_keep(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, _ = quick.held(worker, **KEEP)

    [offer] = other.get_job(wait_s=10)

    assert (offer["job_id"], offer["number"], attempt_states(quick, job)) == (job, 1, ["lost", "assigned"])


def test_what_was_permitted_is_detached_though_nobody_saw_it_run(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.held(worker, **KEEP)
    worker.status("working", attempt)

    until(lambda: attempt_states(quick, job) == ["detached"], 5)

    assert other.get_job(wait_s=0.5) == []
    assert refuse(worker, attempt)["accepted"] == []
    assert attempt_states(quick, job) == ["detached"]


def test_a_cancelled_detached_job_ends_at_once_and_runs_again_only_when_its_worker_was_heard(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = detached(quick, worker)

    assert (act(quick, job, "cancel").json()["state"], attempt_states(quick, job)) == ("cancelled", ["detached"])

    assert ended(quick.admin, job)["verdict"] == "failed"
    assert "detach_timeout_s" in refused(act(quick, job, "retry"), 409, "conflict")["detail"]
    assert (quick.state(job), other.get_job(wait_s=0.5)) == ("cancelled", [])
    assert beat(worker, attempt) == {"lease_s": 0.6, "cancel": [attempt], "lost": []}
    refused(act(quick, job, "retry"), 409, "conflict")
    for _ in range(2):
        assert received(worker.finish(finished(attempt, b"so far", 0))) == [attempt]
    shown = quick.job(job)
    assert (shown["state"], shown["verdict"], shown["result"]) == ("cancelled", "failed", None)
    assert attempt_states(quick, job) == ["cancelled"]
    assert quick.admin.get(f"/api/v1/jobs/{job}/log").content == b"so far"
    assert act(quick, job, "retry").json()["state"] == "queued"
    assert other.get_job()[0]["number"] == 2


def test_a_cancelled_job_whose_worker_falls_silent_ends_with_its_lease(quick: Place) -> None:
    worker = quick.worker()
    job, _ = quick.running(worker, **KEEP, detach_timeout_s=1)
    assert act(quick, job, "cancel").json()["state"] == "running"

    assert ended(quick.admin, job, 5)["state"] == "cancelled"

    refused(act(quick, job, "retry"), 409, "conflict")
    until(lambda: attempt_states(quick, job) == ["lost"], 10)
    assert (quick.state(job), act(quick, job, "retry").json()["state"]) == ("cancelled", "queued")


def test_a_follower_of_one_try_is_not_told_that_it_is_over_while_it_is_detached(quick: Place) -> None:
    worker = quick.worker()
    job, attempt = detached(quick, worker)
    with quick.admin.stream(
        "GET", f"/api/v1/jobs/{job}/log", params={"attempt": 1}, headers={"Accept": "text/event-stream"}
    ) as stream:
        received(worker.finish(finished(attempt, b"hello")))
        told = "".join(stream.iter_text())

    assert "hello" in told
    assert told.index("hello") < told.index("event: end")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"lease_policy": "hold"}, "lease_policy"),
        ({"lease_policy": None}, "lease_policy"),
        ({"detach_timeout_s": 60}, "detach_timeout_s"),
        ({"lease_policy": "stop", "detach_timeout_s": 60}, "detach_timeout_s"),
        ({"lease_policy": "keep", "detach_timeout_s": 0}, "detach_timeout_s"),
        ({"lease_policy": "keep", "detach_timeout_s": "1h"}, "detach_timeout_s"),
    ],
)
def test_a_policy_that_could_not_work_is_refused_by_name(place: Place, spec: Json, field: str) -> None:
    answer = place.admin.post("/api/v1/jobs", json={"command": ["true"], "environment": place.name, **spec})

    refused(answer, 422, "invalid-request", field)
    assert place.admin.get("/api/v1/jobs", params={"environment": place.name}).json()["jobs"] == []


def test_the_policy_is_shown_and_offered_as_it_was_given(place: Place, worker: HandWorker) -> None:
    given = {"lease_policy": "keep", "detach_timeout_s": 7200.0}
    job = place.submit(**given)

    [offer] = worker.get_job()

    assert given.items() <= place.job(job)["spec"].items()
    assert given.items() <= offer["spec"].items()
