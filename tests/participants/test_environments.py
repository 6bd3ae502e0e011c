"""/api/v1/environments and the credentials there. Source: protocol.md, "Starting, and who may enter"."""

import stat

import httpx2
import pytest

from house import Json, Server, ended
from participants.place import MOMENT, UUID7, Place, refused
from waiting import until

SECRET_SIZE_BYTES = 43
"""256 bits in base64url."""

BASE = "/api/v1/environments"


def test_an_empty_folder_has_the_default_environment_and_an_administrators_token(
    server: Server, admin: httpx2.Client
) -> None:
    token = server.data / "admin-token"

    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text().splitlines()) == 1
    default = admin.get(f"{BASE}/default").json()
    assert (default["name"], default["worker_auth"], default["heartbeat_s"], default["lease_s"]) == (
        "default", "jwt", 10, 30,
    )  # fmt: skip
    assert str(token) in server.log.read_text()
    assert token.read_text().strip() not in server.log.read_text()


def test_created_shown_listed_changed_retired(server: Server, admin: httpx2.Client) -> None:
    wanted = {
        "name": "whole-life", "worker_auth": "basic", "labels": {"zone": "a"}, "heartbeat_s": 2, "lease_s": 7,
        "description": "for a test",
    }  # fmt: skip

    answer = admin.post(BASE, json=wanted)

    assert answer.status_code == 201
    made = answer.json()
    assert MOMENT.match(made["created_at"])
    assert {name: made[name] for name in wanted} == wanted
    assert admin.get(f"{BASE}/whole-life").json() == made
    assert made in admin.get(BASE).json()["environments"]
    changed = admin.patch(f"{BASE}/whole-life", json={"lease_s": 9})
    assert (changed.status_code, changed.json()) == (200, made | {"lease_s": 9})
    token = server.token("submit", "whole-life")
    assert admin.delete(f"{BASE}/whole-life").status_code == 204
    refused(admin.get(f"{BASE}/whole-life"), 404, "not-found")
    with server.client(token) as client:
        refused(client.get("/api/v1/jobs"), 401, "unauthenticated")
    refused(admin.post(BASE, json=wanted), 409, "conflict")


def test_what_waits_in_a_retired_environment_is_cancelled_with_the_reason(place: Place) -> None:
    jobs = [place.submit() for _ in range(3)]

    assert place.admin.delete(f"{BASE}/{place.name}").status_code == 204

    for job in jobs:
        shown = ended(place.admin, job)
        assert (shown["state"], shown["verdict"]) == ("cancelled", "failed")
        assert shown["message"] == "Its environment was retired."
    refused(place.admin.post(f"/api/v1/jobs/{jobs[0]}/retry"), 409, "conflict")
    assert place.state(jobs[0]) == "cancelled"


def test_what_is_held_in_a_retired_environment_ends_with_its_lease(quick: Place) -> None:
    worker = quick.worker()
    running, _ = quick.running(worker)
    assigned, _ = quick.held(worker)

    assert quick.admin.delete(f"{BASE}/{quick.name}").status_code == 204

    for job in (running, assigned):
        shown = ended(quick.admin, job)
        assert (shown["state"], shown["message"]) == ("cancelled", "Its environment was retired.")


WRONG: list[tuple[Json, str]] = [
    ({"name": "Upper"}, "name"),
    ({"name": "lab\n"}, "name"),
    ({"name": ""}, "name"),
    ({"name": "a/b"}, "name"),
    ({"name": "../x"}, "name"),
    ({"worker_auth": "none"}, "worker_auth"),
    ({"heartbeat_s": 0}, "heartbeat_s"),
    ({"heartbeat_s": "10"}, "heartbeat_s"),
    ({"heartbeat_s": 10, "lease_s": 15}, "lease_s"),
    ({"labels": {"a": 1}}, "labels.a"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=str)
def test_an_environment_that_could_not_work_is_refused(admin: httpx2.Client, change: Json, field: str) -> None:
    before = admin.get(BASE).json()

    refused(admin.post(BASE, json={"name": "wrong", "worker_auth": "jwt"} | change), 422, "invalid-request", field)

    assert admin.get(BASE).json() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Upper"}, "1 to 63 lower-case letters, digits and hyphens, no hyphen first or last"),
        ({"worker_auth": "none"}, "`none` is none of: basic, jwt"),
        ({"heartbeat_s": 0}, "must be at least 0.1"),
        ({"description": "x" * 10_001}, "has at most 10000 characters"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_words(admin: httpx2.Client, change: Json, said: str) -> None:
    answer = admin.post(BASE, json={"name": "wrong", "worker_auth": "jwt"} | change)

    [error] = refused(answer, 422, "invalid-request")["errors"]
    assert error["message"] == said


def test_a_name_is_taken_once(admin: httpx2.Client) -> None:
    refused(admin.post(BASE, json={"name": "default", "worker_auth": "jwt"}), 409, "conflict")


@pytest.mark.parametrize("kind", ["enrolment", "submit", "view", "admin"])
def test_a_token_is_shown_once_and_kept_as_a_hash(server: Server, place: Place, kind: str) -> None:
    url = f"{BASE}/{place.name}/credentials"

    answer = place.admin.post(url, json={"kind": kind, "expires_in_s": 3600, "note": "for a test"})

    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"credential_id", "kind", "token", "expires_at"}
    assert UUID7.match(made["credential_id"])
    assert MOMENT.match(made["expires_at"])
    listed = place.admin.get(url)
    assert made["token"] not in listed.text
    [shown] = listed.json()["credentials"]
    assert (shown["credential_id"], shown["kind"], shown["note"]) == (made["credential_id"], kind, "for a test")
    secret = made["token"].split("_", 2)[2].encode()  # it may hold the separator itself
    assert len(secret) == SECRET_SIZE_BYTES
    for file in server.data.glob("*.db*"):
        assert secret not in file.read_bytes(), file


def test_a_revoked_token_is_401_with_its_next_call(place: Place) -> None:
    url = f"{BASE}/{place.name}/credentials"
    client = place.client("view")
    assert client.get("/api/v1/jobs").status_code == 200
    [shown] = place.admin.get(url).json()["credentials"]

    assert place.admin.delete(f"{url}/{shown['credential_id']}").status_code == 204

    refused(client.get("/api/v1/jobs"), 401, "unauthenticated")
    refused(place.admin.delete(f"{url}/{shown['credential_id']}"), 404, "not-found")
    assert place.admin.get(url).json() == {"credentials": []}


def test_an_expired_token_is_401(server: Server, place: Place) -> None:
    with server.client(server.token("view", place.name, expires_in_s=0.3)) as client:
        assert client.get("/api/v1/jobs").status_code == 200
        until(lambda: client.get("/api/v1/jobs").status_code == 401, 5)
        refused(client.get("/api/v1/jobs"), 401, "unauthenticated")


WRONG_CREDENTIALS: list[tuple[Json, str]] = [
    ({"kind": "root"}, "kind"),
    ({"kind": "worker"}, "kind"),
    ({"kind": "service"}, "kind"),
    ({}, "kind"),
    ({"kind": "view", "uses": 1}, "uses"),
    ({"kind": "enrolment", "uses": 0}, "uses"),
    ({"kind": "view", "expires_in_s": 0}, "expires_in_s"),
    ({"kind": "view", "expires_in_s": -5}, "expires_in_s"),
    ({"kind": "view", "token": "mine"}, "token"),
]


@pytest.mark.parametrize(("body", "field"), WRONG_CREDENTIALS, ids=str)
def test_a_credential_that_cannot_be_is_refused(place: Place, body: Json, field: str) -> None:
    url = f"{BASE}/{place.name}/credentials"

    refused(place.admin.post(url, json=body), 422, "invalid-request", field)

    assert place.admin.get(url).json() == {"credentials": []}


def test_an_environments_administrator_rules_there_and_nowhere_else(place: Place, quick: Place) -> None:
    own = place.client("admin")

    assert own.get(f"{BASE}/{place.name}").status_code == 200
    assert [one["name"] for one in own.get(BASE).json()["environments"]] == [place.name]
    assert own.post(f"{BASE}/{place.name}/credentials", json={"kind": "view"}).status_code == 201
    for answer in (
        own.get(f"{BASE}/{quick.name}"),
        own.patch(f"{BASE}/{quick.name}", json={}),
        own.get(f"{BASE}/{quick.name}/credentials"),
        own.post(f"{BASE}/{quick.name}/credentials", json={"kind": "admin"}),
    ):
        refused(answer, 404, "not-found")
    refused(own.post(BASE, json={"name": "mine", "worker_auth": "jwt"}), 403, "forbidden")
    refused(own.delete(f"{BASE}/{quick.name}"), 404, "not-found")
    assert place.admin.get(f"{BASE}/{quick.name}/credentials").json() == {"credentials": []}
    assert own.delete(f"{BASE}/{place.name}").status_code == 204
    refused(own.get(f"{BASE}/{place.name}"), 401, "unauthenticated")


def test_secrets_are_not_taken_and_forgotten(place: Place) -> None:
    url = f"{BASE}/{place.name}/secrets"

    refused(place.admin.put(f"{url}/KEY", json={"value": "x"}), 422, "invalid-request", "secrets")

    assert place.admin.get(url).json() == {"secrets": []}
