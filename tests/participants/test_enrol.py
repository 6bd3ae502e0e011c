"""POST /registry/v1/workers and /renew; Basic and JWT. Source: protocol.md, "enrol", "Starting, and who may enter"."""

import contextlib
import socket

import httpx2
import pytest

from house import PLAIN, HandWorker, Json, Server
from participants.place import MOMENT, UUID7, Place, refused
from rota.protocol.wire import encode
from waiting import until

ENROL = {"name": "w", "labels": {"a": "mine", "os": "linux"}, "slots": 2, "executors": ["process"], "version": "1"}


def enrol(server: Server, token: str, **changed: object) -> httpx2.Response:
    with httpx2.Client(base_url=server.url, verify=PLAIN) as client:
        headers = {"Authorization": f"Bearer {token}"}
        return client.post("/registry/v1/workers", json=ENROL | changed, headers=headers)


def call(server: Server, **auth: object) -> int:
    """The status of a heartbeat with that authorization."""
    with httpx2.Client(base_url=server.url, verify=PLAIN, **auth) as client:  # type: ignore[arg-type]
        return client.post("/gateway/v1/heartbeat", json={"attempts": []}).status_code


def test_an_enrolled_worker_gets_all_that_it_needs(server: Server, place: Place) -> None:
    answer = enrol(server, server.token("enrolment", place.name))

    assert answer.status_code == 201
    enrolled = answer.json()
    assert {"worker_id", "environment", "credential", "gateway_url", "registry_url", "heartbeat_s"} <= set(enrolled)
    assert UUID7.match(enrolled["worker_id"])
    assert (enrolled["environment"], enrolled["heartbeat_s"]) == (place.name, 10)
    assert enrolled["gateway_url"] == enrolled["registry_url"] == server.url
    credential = enrolled["credential"]
    assert set(credential) == {"method", "token", "expires_at"}
    assert credential["method"] == "jwt"
    assert MOMENT.match(credential["expires_at"])


def test_the_environments_labels_are_the_workers_and_win(server: Server, admin: httpx2.Client) -> None:
    with Place(server, admin, labels={"a": "ours", "zone": "z"}) as place:
        worker = place.worker(labels={"a": "mine", "os": "linux"})

        shown = admin.get(f"/api/v1/workers/{worker.id}").json()
        assert shown["labels"] == {"a": "ours", "zone": "z", "os": "linux"}
        place.submit(requires={"a": "mine"})
        assert worker.get_job() == []


@pytest.mark.parametrize("kind", ["submit", "view", "admin", "worker"])
def test_only_an_enrolment_token_makes_workers(server: Server, place: Place, kind: str) -> None:
    token = place.worker().enrolled["credential"]["token"] if kind == "worker" else server.token(kind, place.name)
    before = len(place.admin.get("/api/v1/workers", params={"environment": place.name}).json()["workers"])

    refused(enrol(server, token), 403, "forbidden")

    now = place.admin.get("/api/v1/workers", params={"environment": place.name}).json()["workers"]
    assert len(now) == before


def test_of_fifty_at_once_a_token_for_one_use_makes_one_worker(server: Server, place: Place) -> None:
    """All but the last byte of each request is there before the first is whole, so that they are looked at together."""
    token = server.token("enrolment", place.name, uses=1)
    body = encode(ENROL)
    head = f"POST /registry/v1/workers HTTP/1.1\r\nHost: rota\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as stack:
        asking = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(50)]
        for connection in asking:
            connection.sendall(head.encode() + body[:-1])
        for connection in asking:
            connection.sendall(body[-1:])
        answers = [connection.makefile("rb").readline().split()[1] for connection in asking]

    assert sorted(answers) == [b"201"] + [b"401"] * 49
    workers = place.admin.get("/api/v1/workers", params={"environment": place.name}).json()["workers"]
    assert len(workers) == 1
    refused(enrol(server, token), 401, "unauthenticated")


def test_a_bad_request_uses_nothing_up(server: Server, place: Place) -> None:
    token = server.token("enrolment", place.name, uses=1)

    refused(enrol(server, token, slots=0), 422, "invalid-request", "slots")
    refused(enrol(server, token, worker_id="mine"), 422, "invalid-request", "worker_id")
    refused(enrol(server, token, name=""), 422, "invalid-request", "name")
    refused(enrol(server, token, executors=[]), 422, "invalid-request", "executors")
    refused(enrol(server, token, labels={"a": 1}), 422, "invalid-request", "labels.a")

    assert enrol(server, token).status_code == 201


def test_an_expired_token_is_as_good_as_none(server: Server, place: Place) -> None:
    token = server.token("enrolment", place.name, expires_in_s=0.05)

    until(lambda: enrol(server, token).status_code == 401, 5)

    refused(enrol(server, token), 401, "unauthenticated")


def test_an_enrolment_token_opens_nothing_else(server: Server, place: Place) -> None:
    with server.client(server.token("enrolment", place.name)) as client:
        refused(client.get("/api/v1/jobs"), 403, "forbidden")
        refused(client.post("/gateway/v1/get-job", json={"slots": 1, "wait_s": 0}), 403, "forbidden")


def test_a_renewed_jwt_is_another_and_good(server: Server, place: Place) -> None:
    worker = place.worker()
    old = worker.enrolled["credential"]["token"]

    answer = worker.http.post("/registry/v1/workers/renew")

    assert answer.status_code == 200
    fresh = answer.json()["credential"]
    assert set(fresh) == {"method", "token", "expires_at"}
    assert call(server, headers={"Authorization": f"Bearer {fresh['token']}"}) == 200
    assert call(server, headers={"Authorization": f"Bearer {old}"}) == 200
    refused(place.admin.post("/registry/v1/workers/renew"), 403, "forbidden")


@pytest.fixture
def basic(server: Server, admin: httpx2.Client) -> HandWorker:
    """A worker of an environment whose workers have passwords."""
    return Place(server, admin, worker_auth="basic").worker()


def pair(credential: Json) -> tuple[str, str]:
    return credential["username"], credential["password"]


def test_basic_works_for_everything_a_worker_does(admin: httpx2.Client, basic: HandWorker) -> None:
    with basic.http:
        assert set(basic.enrolled["credential"]) == {"method", "username", "password"}
        environment = basic.enrolled["environment"]
        job = admin.post("/api/v1/jobs", json={"command": ["true"], "environment": environment}).json()["id"]

        [offer] = basic.get_job()

        assert offer["job_id"] == job
        assert basic.status("working", offer["attempt_id"]).status_code == 200
        refused(basic.http.get("/api/v1/jobs"), 403, "forbidden")


def test_a_renewed_password_locks_nobody_out_until_it_was_used(server: Server, basic: HandWorker) -> None:
    with basic.http:
        old = pair(basic.enrolled["credential"])
        lost = basic.http.post("/registry/v1/workers/renew").json()["credential"]  # as if this answer got lost
        assert call(server, auth=old) == 200

        fresh = basic.http.post("/registry/v1/workers/renew").json()["credential"]

        assert call(server, auth=pair(fresh)) == 200
        assert call(server, auth=old) == 401
        assert call(server, auth=pair(lost)) == 401


@pytest.mark.parametrize("wrong", ["password", "username", "both", "no colon", "no base64"])
def test_a_wrong_password_is_told_like_everything_wrong(server: Server, basic: HandWorker, wrong: str) -> None:
    with basic.http:
        name, password = pair(basic.enrolled["credential"])
    auth: dict[str, object] = {
        "password": {"auth": (name, "guess")},
        "username": {"auth": ("nobody", password)},
        "both": {"auth": ("", "")},
        "no colon": {"headers": {"Authorization": "Basic bm9jb2xvbg=="}},
        "no base64": {"headers": {"Authorization": "Basic %%%"}},
    }[wrong]  # type: ignore[assignment]

    assert call(server, **auth) == 401


def test_what_is_revoked_is_401_with_its_next_call(server: Server, admin: httpx2.Client, basic: HandWorker) -> None:
    with Place(server, admin) as place:
        for worker in (basic, place.worker()):
            environment = worker.enrolled["environment"]
            assert worker.status("ready_for_work").status_code == 200
            listed = admin.get(f"/api/v1/environments/{environment}/credentials").json()["credentials"]
            [mine] = [one["credential_id"] for one in listed if one["worker_id"] == worker.id]

            assert admin.delete(f"/api/v1/environments/{environment}/credentials/{mine}").status_code == 204

            refused(worker.status("working"), 401, "unauthenticated")
            refused(worker.post("/gateway/v1/get-job", {"slots": 1, "wait_s": 0}), 401, "unauthenticated")
            refused(worker.post("/registry/v1/workers/renew", {}), 401, "unauthenticated")
            worker.http.close()
