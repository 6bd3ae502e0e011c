"""`GET /api/v1/events`: what happens, as it happens; nothing lost, nothing twice. Source: protocol.md, "Events"."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from house import Server, servers
from participants.place import Place, refused
from rota.client import Client
from rota.data_folder import back_up, restore
from waiting import until

Json = dict[str, Any]
SSE = {"Accept": "text/event-stream"}
JSON = {"Accept": "application/json"}
JOBS = 1000


class Follower:
    """Reads a stream in a thread of its own. `ids` are those that move the place, with or without an event."""

    def __init__(self, client: httpx2.Client, headers: dict[str, str] | None = None, **params: str) -> None:
        self.events: list[Json] = []
        self.ids: list[str] = []
        self.names: list[str] = []
        self.status: int | None = None
        self.is_over = threading.Event()
        self._client, self._headers, self._params = client, SSE | (headers or {}), params
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        until(lambda: self.ids or self.is_over.is_set(), why="the stream has begun")

    def _read(self) -> None:
        try:
            with self._client.stream("GET", "/api/v1/events", params=self._params, headers=self._headers) as answer:
                self.status = answer.status_code
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "id":
                        self.ids.append(value)
                    elif field == "event":
                        self.names.append(value)
                    elif field == "data":
                        self.events.append(json.loads(value))
        except httpx2.HTTPError:
            pass  # it was cut off
        finally:
            self.is_over.set()

    def types(self) -> list[str]:
        """What happened, shortly."""
        return [event["type"].removeprefix("dev.rota.job.") for event in self.events]


@contextmanager
def following(client: httpx2.Client, resume: str | None = None, **params: str) -> Iterator[Follower]:
    """A follower whose connection is its own."""
    with httpx2.Client(
        verify=False, base_url=client.base_url, headers=client.headers, timeout=httpx2.Timeout(30)
    ) as own:
        yield Follower(own, None if resume is None else {"Last-Event-ID": resume}, **params)


def page(client: httpx2.Client, **params: str | int) -> Json:
    answer = client.get("/api/v1/events", params=params, headers=JSON)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_a_follower_is_told_of_what_happens_in_order(place: Place) -> None:
    with following(place.admin, environment=place.name) as follower:
        job, _ = place.ended(place.worker())

        until(lambda: len(follower.events) == 4)

    assert follower.types() == ["submitted", "assigned", "finished", "decided"]
    assert {event["subject"] for event in follower.events} == {job}
    assert [event["id"] for event in follower.events] == follower.ids[-4:]
    assert follower.events[0]["source"] == f"/api/v1/environments/{place.name}"


def test_filters_of_type_and_job_hold_together(place: Place) -> None:
    worker = place.worker()
    first, _ = place.ended(worker)

    with (
        following(place.admin, job_id=first, after="oldest", type="dev.rota.job.decided,dev.rota.job.finished") as one,
        following(place.admin, environment=place.name, type="dev.rota.job.*") as other,
    ):
        second, _ = place.ended(worker)
        until(lambda: len(one.events) == 2)
        until(lambda: len(other.events) == 4)

    assert one.types() == ["finished", "decided"]
    assert {event["subject"] for event in one.events} == {first}
    assert {event["subject"] for event in other.events} == {second}


@pytest.mark.parametrize("kind", ["view", "submit", "admin"])
def test_a_credential_of_an_environment_sees_that_environment_alone(place: Place, kind: str) -> None:
    mine = place.client(kind)
    elsewhere = place.admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]

    with following(mine, after="oldest") as follower:
        job = place.submit()
        place.admin.post(f"/api/v1/jobs/{elsewhere}/cancel")
        until(lambda: follower.events)

    assert {event["subject"] for event in follower.events} == {job}
    assert {event["subject"] for event in page(mine, last=100)["events"]} == {job}
    refused(mine.get("/api/v1/events", params={"environment": "default"}, headers=SSE), 403, "forbidden")
    refused(mine.get("/api/v1/events", params={"job_id": elsewhere}, headers=SSE), 404, "not-found")


def test_a_worker_and_nobody_see_no_events(place: Place) -> None:
    refused(place.worker().http.get("/api/v1/events"), 403, "forbidden")
    refused(place.admin.get("/api/v1/events", headers={"Authorization": ""}), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"type": "dev.rota.job.vanished"}, "type"),
        ({"after": "yesterday"}, "after"),
        ({"environment": "nowhere"}, "environment"),
        ({"limit": "3"}, "limit"),
        ({"since": "oldest"}, "since"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(admin: httpx2.Client, params: dict[str, str], field: str) -> None:
    refused(admin.get("/api/v1/events", params=params, headers=SSE), 422, "invalid-request", field)


def test_an_id_that_is_none_is_refused_as_the_header_it_was_sent_in(admin: httpx2.Client) -> None:
    answer = admin.get("/api/v1/events", headers=SSE | {"Last-Event-ID": "17"})

    refused(answer, 422, "invalid-request", "Last-Event-ID")


def test_pages_as_json_hold_the_same_events(place: Place) -> None:
    place.ended(place.worker())
    first = page(place.admin, environment=place.name, limit=3)
    rest = page(place.admin, environment=place.name, limit=3, after=first["next_cursor"])

    events = first["events"] + rest["events"]

    assert [event["type"].rpartition(".")[2] for event in events] == ["submitted", "assigned", "finished", "decided"]
    assert rest["next_cursor"] is None
    assert page(place.admin, environment=place.name, last=2)["events"] == events[2:]


def test_who_resumes_at_an_event_is_told_of_all_behind_it(place: Place) -> None:
    place.ended(place.worker())
    told = page(place.admin, environment=place.name)["events"]

    with following(place.admin, told[1]["id"], environment=place.name) as follower:
        until(lambda: len(follower.events) == 2)

    assert follower.events == told[2:]


def test_where_what_comes_next_is_no_longer_kept_it_is_told_and_nothing_is_skipped(tmp_path: Path) -> None:
    with servers() as started:
        started.append(Server(tmp_path / "data", ROTA_EVENTS_MAX="5"))
        with started[0].client() as admin:
            specs = [{"command": ["true"]}] * 20
            admin.post("/api/v1/jobs", json={"jobs": specs})
            first = page(admin, last=20)["events"][0]["id"]
            until(lambda: len(page(admin)["events"]) == 5, 15)

            answer = admin.get("/api/v1/events", headers=SSE | {"Last-Event-ID": first})
            kept = page(admin)["events"]
            with following(admin, after="oldest") as follower:
                until(lambda: len(follower.events) == 5)

    problem = refused(answer, 410, "gone")
    assert problem["oldest"] == kept[0]["id"]
    assert problem["oldest"] in problem["detail"]
    assert follower.events == kept


def test_at_each_ping_who_was_told_nothing_moves_on_and_who_was_revoked_hears_no_more(place: Place) -> None:
    made = place.admin.post(f"/api/v1/environments/{place.name}/credentials", json={"kind": "view"}).json()
    with (
        place.server.client(made["token"]) as client,
        following(place.admin, environment=place.name, type="dev.rota.job.lost") as unmet,
        following(place.admin, job_id=place.submit()) as still,
    ):
        revoked = Follower(client)
        place.admin.delete(f"/api/v1/environments/{place.name}/credentials/{made['credential_id']}")
        place.submit()
        newest = page(place.admin, last=1)["events"][0]["id"]

        until(lambda: _number(unmet.ids[-1]) >= _number(newest) <= _number(still.ids[-1]), 20)
        assert revoked.is_over.wait(5)

    assert unmet.events == still.events == []


def _number(event_id: str) -> int:
    return int(event_id.partition("-")[2])


def test_a_thousand_jobs_and_a_server_that_is_killed_not_one_event_lost_or_doubled(tmp_path: Path) -> None:
    with servers() as started:
        server = Server(tmp_path / "data")
        started.append(server)
        told: list[Json] = []
        with Client(server.url, server.admin_token) as rota:
            events = rota.events(types=["dev.rota.job.*"], after="oldest")
            reading = threading.Thread(target=lambda: told.extend(_until_decided(events)), daemon=True)
            reading.start()
            with server.client() as admin:
                jobs: list[str] = []
                for _ in range(5):
                    specs = [{"command": ["true"]}] * (JOBS // 5)
                    made = admin.post("/api/v1/jobs", json={"jobs": specs}).json()["jobs"]
                    jobs += [job["id"] for job in made]
                    for job in made:
                        admin.post(f"/api/v1/jobs/{job['id']}/cancel")
                    server.kill()
                    server.start()
                reading.join(60)
                kept = [event["id"] for one in _pages(admin) for event in one]

    assert [event["id"] for event in told] == kept
    for kind in ("submitted", "cancelled", "decided"):
        subjects = [event["subject"] for event in told if event["type"] == f"dev.rota.job.{kind}"]
        assert sorted(subjects) == sorted(jobs)


def test_after_a_restore_who_saw_what_is_lost_is_told_so_and_no_id_is_given_twice(tmp_path: Path) -> None:
    with servers() as started:
        before = Server(tmp_path / "data")
        started.append(before)
        with before.client() as admin:
            admin.post("/api/v1/jobs", json={"command": ["true"]})
            kept = page(admin, last=1)["events"][0]["id"]
            before.stop()
            back_up(tmp_path / "data", tmp_path / "backup", None, lambda *_: None)
            before.start()
            admin.post("/api/v1/jobs", json={"command": ["true"]})
            lost = page(admin, last=1)["events"][0]["id"]
            before.stop()
        restore(tmp_path / "backup", tmp_path / "restored", lambda *_: None)
        after = Server(tmp_path / "restored")
        started.append(after)
        with after.client() as admin:
            admin.post("/api/v1/jobs", json={"command": ["true"]})
            answer = admin.get("/api/v1/events", headers=SSE | {"Last-Event-ID": lost})
            behind = page(admin, after=kept)["events"]

    refused(answer, 410, "gone")
    assert [_number(event["id"]) for event in behind] == [_number(lost)]
    assert behind[0]["id"] != lost


def _until_decided(events: Any) -> Iterator[Json]:  # noqa: ANN401  (the SDK's)
    decided = 0
    for event in events:
        yield {"id": event.id, "type": event.type, "subject": event.subject}
        decided += event.type == "dev.rota.job.decided"
        if decided == JOBS:
            return


def _pages(admin: httpx2.Client) -> Iterator[list[Json]]:
    cursor: str | None = "oldest"
    while cursor is not None:
        found = page(admin, after=cursor, limit=1000)
        yield found["events"]
        cursor = found["next_cursor"]


def test_a_follower_that_reads_nothing_costs_no_memory_and_holds_nobody_up(place: Place) -> None:
    server = place.server
    head = [f"GET /api/v1/events?after=oldest&environment={place.name} HTTP/1.1", "Host: x"]
    ask = "\r\n".join([*head, f"Authorization: Bearer {server.admin_token}", "", ""]).encode()
    deaf = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    try:
        for one in deaf:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(ask)
        with following(place.admin, environment=place.name) as follower:
            place.admin.post("/api/v1/jobs", json={"jobs": [_spec(place)] * 100})
            until(lambda: len(follower.events) == 100)
            before = _rss_bytes(server.process.pid)
            for _ in range(20):
                place.admin.post("/api/v1/jobs", json={"jobs": [_spec(place)] * 500})
            until(lambda: len(follower.events) == 10_100, 20)
            grown = _rss_bytes(server.process.pid) - before
    finally:
        for one in deaf:
            one.close()

    assert grown < 40_000_000  # a thousand bytes an event and follower would be 200 MB


def _spec(place: Place) -> Json:
    return {"command": ["true"], "environment": place.name, "name": "x" * 200}


def _rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError
