"""Schedules through the API, fired by real schedulers, also where they are killed. Source: protocol.md, "Schedules"."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from house import Json, Server, ended, finished, free_port, servers
from participants.place import Place, beat, received, refused
from rota.protocol.wire import parse_timestamp, timestamp
from waiting import until

BASE = "/api/v1/schedules"
LATER = "2999-01-01T00:00:00Z"
_number = itertools.count(1)


def make(client: httpx2.Client, environment: str = "default", **wanted: Any) -> Json:  # noqa: ANN401  (any field)
    """A schedule of `true`; every second where nothing else is wanted."""
    when = {} if "cron" in wanted else {"every_s": 1}
    spec = {"command": ["true"], "environment": environment} | wanted.pop("spec", {})
    answer = client.post(BASE, json={"name": f"poll-{next(_number)}", "spec": spec} | when | wanted)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def runs(client: httpx2.Client, name: str) -> list[Json]:
    """Its jobs, oldest first."""
    found: list[Json] = client.get("/api/v1/jobs", params={"schedule": name, "limit": 1000}).json()["jobs"]
    return found[::-1]


def due_s(jobs: list[Json]) -> list[float]:
    """When they were due, in seconds after the first."""
    times = [parse_timestamp(job["due_at"]) for job in jobs]
    return [(at - times[0]).total_seconds() for at in times]


def ahead(ahead_s: float) -> str:
    """A moment from now."""
    return timestamp(datetime.now(UTC) + timedelta(seconds=ahead_s))


def pause(client: httpx2.Client, made: Json) -> None:
    """It fires no more."""
    answer = client.post(f"{BASE}/{made['name']}/pause", params={"environment": made["environment"]})
    assert answer.status_code == 200, answer.text


def test_a_schedule_is_shown_as_it_was_made(place: Place) -> None:
    made = make(place.admin, place.name, name="nightly", cron="30 2 * * *", timezone="Europe/Berlin", missed="once")

    whose = {"environment": place.name}
    assert place.admin.get(f"{BASE}/nightly", params=whose).json() == made
    assert place.admin.get(BASE, params=whose).json() == {"schedules": [made], "next_cursor": None}
    assert (made["cron"], made["every_s"], made["timezone"]) == ("30 2 * * *", None, "Europe/Berlin")
    assert (made["overlap"], made["missed"], made["paused"]) == ("skip", "once", False)
    assert made["counts"] == {"fired": 0, "skipped": 0, "missed": 0}
    times = place.admin.get(f"{BASE}/nightly/next", params={**whose, "n": 2}).json()["times"]
    assert times[0] == made["next_at"]
    assert len(times) == 2


def test_a_run_is_a_job_that_knows_its_schedule_and_time_and_comes_when_it_is_due(place: Place) -> None:
    worker = place.worker()
    made = make(place.admin, place.name)

    [offer] = worker.get_job(wait_s=10)
    pause(place.admin, made)

    job = place.job(offer["job_id"])
    assert (job["schedule"], job["due_at"]) == (made["name"], made["next_at"])
    assert offer["spec"]["env"] == {"ROTA_SCHEDULE": made["name"], "ROTA_DUE_AT": made["next_at"]}
    late = parse_timestamp(job["submitted_at"]) - parse_timestamp(job["due_at"])
    assert 0 <= late.total_seconds() < 1
    shown = place.admin.get(f"{BASE}/{made['name']}").json()
    assert shown["last"]["job_id"] == job["id"]
    assert shown["counts"]["fired"] == 1


def test_a_person_runs_it_now_once_a_key_and_never_beside_another_run(place: Place) -> None:
    made = make(place.client("submit"), place.name, every_s=3600)
    path, whose = f"{BASE}/{made['name']}/run", {"environment": place.name}

    first = place.admin.post(path, params=whose, headers={"Idempotency-Key": "k"})
    again = place.admin.post(path, params=whose, headers={"Idempotency-Key": "k"})
    refused(place.admin.post(path, params=whose), 409, "conflict")

    assert first.status_code == 201
    assert again.json()["id"] == first.json()["id"]
    assert [job["id"] for job in runs(place.admin, made["name"])] == [first.json()["id"]]
    assert place.admin.get(f"{BASE}/{made['name']}").json()["next_at"] == made["next_at"]


def test_an_environment_s_schedules_are_its_own(place: Place, quick: Place) -> None:
    mine, theirs = place.client("submit"), quick.client("submit")
    here = make(mine, place.name, name="nightly", every_s=3600)
    there = make(theirs, quick.name, name="nightly", every_s=7200)

    assert mine.get(f"{BASE}/nightly").json()["every_s"] == 3600
    assert theirs.get(f"{BASE}/nightly").json()["every_s"] == 7200
    assert mine.get(BASE).json()["schedules"] == [here]
    refused(mine.get(BASE, params={"environment": quick.name}), 403, "forbidden")
    foreign = {"environment": quick.name}
    for call in (
        mine.get(f"{BASE}/nightly", params=foreign),
        mine.delete(f"{BASE}/nightly", params=foreign),
        mine.post(f"{BASE}/nightly/pause", params=foreign),
        mine.post(f"{BASE}/nightly/run", params=foreign),
        mine.patch(f"{BASE}/nightly", params=foreign, json={"every_s": 1}),
    ):
        refused(call, 404, "not-found")
    refused(
        mine.post(BASE, json={"name": "x", "every_s": 9, "spec": {"command": ["true"], **foreign}}), 403, "forbidden"
    )
    assert theirs.get(f"{BASE}/nightly").json() == there
    ambiguous = refused(place.admin.get(f"{BASE}/nightly"), 409, "conflict")
    assert place.name in ambiguous["detail"]


def test_who_may_only_look_changes_nothing(place: Place) -> None:
    made = make(place.admin, place.name, every_s=3600)
    viewer, path = place.client("view"), f"{BASE}/{made['name']}"

    assert viewer.get(path).status_code == 200
    for call in (viewer.delete(path), viewer.post(f"{path}/run"), viewer.patch(path, json={}), viewer.post(BASE)):
        refused(call, 403, "forbidden")
    assert viewer.get(path).json() == made


def test_a_name_is_taken_until_it_is_deleted(place: Place) -> None:
    made = make(place.admin, place.name, name="once", every_s=3600)
    again = {"name": "once", "every_s": 7200, "spec": {"command": ["true"], "environment": place.name}}
    refused(place.admin.post(BASE, json=again), 409, "conflict")
    whose = {"environment": place.name}
    assert place.admin.get(f"{BASE}/once", params=whose).json() == made

    assert place.admin.delete(f"{BASE}/once", params=whose).status_code == 204

    refused(place.admin.get(f"{BASE}/once", params=whose), 404, "not-found")
    assert place.admin.post(BASE, json=again).status_code == 201


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "cron"),
        ({"cron": "0 0 * * *", "every_s": 5}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": "nightly"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"cron": "x" * 501}, "cron"),
        ({"every_s": 0.5}, "every_s"),
        ({"every_s": 0}, "every_s"),
        ({"every_s": -5}, "every_s"),
        ({"every_s": 1e12}, "every_s"),
        ({"every_s": "5"}, "every_s"),
        ({"cron": "0 0 * * *", "timezone": "Mars/Base"}, "timezone"),
        ({"every_s": 5, "timezone": "Europe/Berlin"}, "timezone"),
        ({"every_s": 5, "overlap": "wait"}, "overlap"),
        ({"every_s": 5, "missed": "some"}, "missed"),
        ({"every_s": 5, "missed": "all", "overlap": "replace"}, "missed"),
        ({"every_s": 5, "name": "a b"}, "name"),
        ({"every_s": 5, "name": "../x"}, "name"),
        ({"every_s": 5, "name": "a\n"}, "name"),
        ({"every_s": 5, "name": ""}, "name"),
        ({"every_s": 5, "colour": "red"}, "colour"),
        ({"every_s": 5, "spec": {}}, "spec.command"),
        ({"every_s": 5, "spec": {"command": ["true"], "environment": "nowhere"}}, "spec.environment"),
        ({"every_s": 5, "spec": {"command": ["true"], "not_before": LATER}}, "spec.not_before"),
        ({"every_s": 5, "spec": {"command": ["true"], "deadline": LATER}}, "spec.deadline"),
        ({"every_s": 5, "spec": {"command": ["true"], "env": {"ROTA_DUE_AT": "x"}}}, "spec.env.ROTA_DUE_AT"),
        ({"every_s": 5, "spec": {"command": ["true"], "tags": {"": ""}}}, "spec.tags"),
    ],
)
def test_what_could_not_work_is_refused_by_its_field(admin: httpx2.Client, wanted: Json, field: str) -> None:
    name = wanted.get("name", f"bad-{next(_number)}")

    answer = admin.post(BASE, json={"name": name, "spec": {"command": ["true"]}} | wanted)

    refused(answer, 422, "invalid-request", field)
    assert name not in [one["name"] for one in admin.get(BASE).json()["schedules"]]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"every_s": 0.1}, "every_s"),
        ({"cron": "0 0 31 6 *"}, "cron"),
        ({"timezone": "Europe/Berlin"}, "timezone"),
        ({"name": "other"}, "name"),
        ({"spec": {"command": ["true"], "environment": "default"}}, "spec.environment"),
        ({"spec": {"command": []}}, "spec.command"),
    ],
)
def test_a_change_that_could_not_work_changes_nothing(place: Place, wanted: Json, field: str) -> None:
    made = make(place.admin, place.name, every_s=3600)

    refused(place.admin.patch(f"{BASE}/{made['name']}", json=wanted), 422, "invalid-request", field)

    assert place.admin.get(f"{BASE}/{made['name']}").json() == made


def test_what_a_query_could_not_mean_is_refused(admin: httpx2.Client) -> None:
    refused(admin.get(BASE, params={"cursor": "nonsense"}), 422, "invalid-request", "cursor")
    refused(admin.get(BASE, params={"limit": 0}), 422, "invalid-request", "limit")
    refused(admin.get(f"{BASE}/none/next", params={"n": 0}), 422, "invalid-request", "n")
    refused(admin.get(f"{BASE}/none"), 404, "not-found")
    refused(admin.get(f"{BASE}/%00"), 404, "not-found")


def test_schedules_are_listed_page_by_page(place: Place) -> None:
    for name in ("c", "a", "b"):
        make(place.admin, place.name, name=name, every_s=3600)
    page = f"{BASE}?environment={place.name}&limit=2"

    first = place.admin.get(page).json()
    second = place.admin.get(f"{page}&cursor={first['next_cursor']}").json()

    assert [one["name"] for one in first["schedules"] + second["schedules"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


def test_the_schedules_of_a_retired_environment_rest(place: Place) -> None:
    made = make(place.admin, place.name)
    path, whose = f"{BASE}/{made['name']}", {"environment": place.name}
    assert place.admin.delete(f"/api/v1/environments/{place.name}").status_code == 204

    shown = until(lambda: (found := place.admin.get(path, params=whose).json())["paused"] and found)

    assert shown["message"] == "Its environment was retired."
    refused(place.admin.post(f"{path}/resume", params=whose), 409, "conflict")
    refused(place.admin.post(f"{path}/run", params=whose), 409, "conflict")
    assert place.admin.get(path, params=whose).json()["paused"]


def test_a_job_that_is_replaced_is_cancelled_and_the_next_one_comes_when_it_has_ended(place: Place) -> None:
    worker = place.worker()
    made = make(place.admin, place.name, overlap="replace")
    [offer] = worker.get_job(wait_s=10)

    assert until(lambda: beat(worker, offer["attempt_id"])["cancel"]) == [offer["attempt_id"]]
    pause(place.admin, made)
    assert worker.get_job() == []
    assert place.state(offer["job_id"]) == "running"
    assert received(worker.finish(stopped(offer["attempt_id"]))) == [offer["attempt_id"]]

    [after] = worker.get_job(wait_s=10)
    assert place.state(offer["job_id"]) == "cancelled"
    assert place.job(after["job_id"])["schedule"] == made["name"]


def stopped(attempt: str) -> Json:
    """A report of a worker that was told to stop it."""
    report = finished(attempt)
    told = {"exit_code": None, "signal": "SIGTERM", "reason": "cancelled"}
    return {**report, "result": {**report["result"], **told}}


def in_order(jobs: list[Json]) -> None:
    """Every second was fired, and each once."""
    assert due_s(jobs) == [float(second) for second in range(len(jobs))]


def test_a_server_that_is_killed_again_and_again_fires_each_time_once(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data")
        started.append(server)
        with server.client() as admin:
            made = make(admin, overlap="queue", missed="all")
            for round_ in range(4):
                fired = 2 * round_ + 1
                until(lambda fired=fired: len(runs(admin, made["name"])) >= fired)  # type: ignore[misc]
                server.kill()
                server.start()
            until(lambda: len(runs(admin, made["name"])) >= 10, 20)
            pause(admin, made)

            in_order(runs(admin, made["name"]))


def test_two_schedulers_fire_each_time_once_also_where_one_of_them_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with servers() as started:
        jobs = Server(tmp_path / "data", ["jobs"], port, ROTA_REGISTRY_URL="http://127.0.0.1:1")
        started.append(jobs)
        first, second = (Server(jobs.data, ["scheduler"], ROTA_JOBS_URL=jobs.url) for _ in range(2))
        started += [first, second]
        with jobs.client() as admin:
            made = [make(admin, overlap="queue", missed="all") for _ in range(10)]
            until(lambda: len(runs(admin, made[0]["name"])) >= 3)
            first.kill()
            until(lambda: len(runs(admin, made[0]["name"])) >= 5)
            for one in made:
                pause(admin, one)

            for one in made:
                in_order(runs(admin, one["name"]))
        started.remove(first)


def test_what_is_due_while_no_scheduler_is_there_is_fired_by_the_next_one_once(tmp_path: Path) -> None:
    """Killed between the time and its firing."""
    port = free_port()
    with servers() as started:
        jobs = Server(tmp_path / "data", ["jobs"], port, ROTA_REGISTRY_URL="http://127.0.0.1:1")
        started.append(jobs)
        with jobs.client() as admin:
            made = make(admin, missed="once")
            service = (jobs.data / "service-token").read_text().strip()
            with jobs.client(service) as inner:
                asked = {"wait_s": 10}
                assert [one["name"] for one in inner.get("/internal/v1/due", params=asked).json()["schedules"]]
            jobs.kill()
            jobs.start()
            assert runs(admin, made["name"]) == []

            started.append(Server(jobs.data, ["scheduler"], ROTA_JOBS_URL=jobs.url))

            until(lambda: runs(admin, made["name"]))
            pause(admin, made)
            assert len(runs(admin, made["name"])) == 1
            counts = admin.get(f"{BASE}/{made['name']}").json()["counts"]
            assert counts["fired"] == 1


def test_the_inner_door_is_shut_to_people(admin: httpx2.Client) -> None:
    refused(admin.get("/internal/v1/due"), 403, "forbidden")
    refused(admin.post("/internal/v1/fire", json={"firings": []}), 403, "forbidden")


def test_a_job_waits_for_its_time_and_is_given_out_then(place: Place) -> None:
    worker = place.worker()
    job = place.submit(not_before=ahead(1.0))
    assert place.state(job) == "waiting"
    assert worker.get_job() == []

    [offer] = worker.get_job(wait_s=10)

    assert offer["job_id"] == job
    shown = place.job(job)
    early = parse_timestamp(shown["attempts"][0]["assigned_at"]) - parse_timestamp(shown["spec"]["not_before"])
    assert 0 <= early.total_seconds() < 2


def test_what_has_not_started_by_its_deadline_has_expired(place: Place) -> None:
    queued, waiting = place.submit(deadline=ahead(0.5)), place.submit(deadline=ahead(0.5), not_before=ahead(0.4))

    for job in (queued, waiting):
        over = ended(place.admin, job)
        assert (over["state"], over["message"]) == ("expired", "It had not started by its deadline.")
        assert over["verdict"] == "failed"
    refused(place.admin.post(f"/api/v1/jobs/{queued}/retry"), 409, "conflict")
    assert place.state(queued) == "expired"


def test_what_runs_at_its_deadline_is_stopped_and_says_why(place: Place) -> None:
    worker = place.worker()
    job, attempt = place.running(worker, deadline=ahead(0.8))

    assert until(lambda: beat(worker, attempt)["cancel"]) == [attempt]
    assert received(worker.finish(stopped(attempt))) == [attempt]

    over = ended(place.admin, job)
    assert (over["state"], over["verdict"]) == ("cancelled", "failed")
    assert over["message"] == "It had not ended by its deadline."


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline"),
        ({"deadline": "tomorrow"}, "deadline"),
        ({"deadline": "2999-13-01T00:00:00Z"}, "deadline"),
        ({"not_before": "2026-02-30T00:00:00Z"}, "not_before"),
        ({"not_before": 5}, "not_before"),
        ({"not_before": LATER, "deadline": "2998-01-01T00:00:00Z"}, "deadline"),
        ({"not_before": LATER, "deadline": LATER}, "deadline"),
    ],
)
def test_moments_that_could_not_work_are_refused(place: Place, wanted: Json, field: str) -> None:
    answer = place.admin.post("/api/v1/jobs", json={"command": ["true"], "environment": place.name, **wanted})

    refused(answer, 422, "invalid-request", field)
    assert place.admin.get("/api/v1/jobs", params={"environment": place.name}).json()["jobs"] == []


def test_a_submission_that_is_repeated_after_its_deadline_is_the_same_job(place: Place) -> None:
    spec = {"command": ["true"], "environment": place.name, "deadline": ahead(0.5)}
    first = place.admin.post("/api/v1/jobs", json=spec, headers={"Idempotency-Key": place.name}).json()
    ended(place.admin, first["id"])

    again = place.admin.post("/api/v1/jobs", json=spec, headers={"Idempotency-Key": place.name})

    assert (again.status_code, again.json()["id"]) == (201, first["id"])
