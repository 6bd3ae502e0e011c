"""POST /api/v1/jobs. Source: protocol.md, "Job service, the user's side", "Spec"; guarantees.md, G1, F3."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from house import Json
from participants.place import MOMENT, UUID7, Place, refused

JOBS = "/api/v1/jobs"


def submit(place: Place, body: Json, key: str | None = None) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return place.admin.post(JOBS, json=body, headers=headers)


def listed(place: Place) -> list[Json]:
    jobs: list[Json] = place.admin.get(JOBS, params={"environment": place.name, "limit": 1000}).json()["jobs"]
    return jobs


def test_one_spec_answers_the_job_itself_and_says_where_it_is(place: Place) -> None:
    spec = {
        "command": ["make", "-j4"], "name": "build", "environment": place.name, "requires": {"os": "linux"},
        "env": {"A": "1"}, "artifacts": ["out/**"], "executor": "process", "timeout_s": 60, "grace_s": 3,
        "queue_timeout_s": 3600, "priority": -3, "tags": {"team": "a"},
        "inputs": [{"path": "in/file", "content": base64.b64encode(b"\0bytes").decode()}],
    }  # fmt: skip

    answer = submit(place, spec)

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    job = answer.json()
    assert answer.headers["location"] == f"{JOBS}/{job['id']}"
    assert UUID7.match(job["id"])
    assert MOMENT.match(job["submitted_at"])
    assert (job["state"], job["verdict"], job["result"], job["attempts"]) == ("queued", None, None, [])
    assert job["submitted_by"]
    shown = {name: value for name, value in job["spec"].items() if name != "executor"}
    assert shown == {name: value for name, value in spec.items() if name != "executor"}
    assert place.admin.get(answer.headers["location"]).json() == job


def test_several_specs_answer_jobs_in_their_order_with_ids_that_sort_by_it(place: Place) -> None:
    specs = [{"script": f"echo {number}", "environment": place.name} for number in range(50)]

    answer = submit(place, {"jobs": specs})

    assert answer.status_code == 201
    jobs = answer.json()["jobs"]
    assert [job["spec"]["script"] for job in jobs] == [spec["script"] for spec in specs]
    assert sorted(job["id"] for job in jobs) == [job["id"] for job in jobs]


def test_ten_thousand_at_once_are_taken_and_one_more_is_not(place: Place) -> None:
    specs = [{"command": ["true"], "environment": place.name}] * 10_000

    answer = submit(place, {"jobs": specs})

    assert answer.status_code == 201
    assert len({job["id"] for job in answer.json()["jobs"]}) == 10_000
    refused(submit(place, {"jobs": [*specs, specs[0]]}), 422, "invalid-request", "jobs")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"command": []}, "jobs[9999].command"),
        ({"command": "true"}, "jobs[9999].command"),
        ({"command": ["true"], "colour": "red"}, "jobs[9999].colour"),
        ({"command": ["true"], "environment": "nowhere"}, "jobs[9999].environment"),
    ],
)
def test_one_bad_spec_at_the_end_and_nothing_is_submitted(place: Place, bad: Json, field: str) -> None:
    good = {"command": ["true"], "environment": place.name}

    answer = submit(place, {"jobs": [good] * 9_999 + [{"environment": place.name, **bad}]})

    refused(answer, 422, "invalid-request", field)
    assert listed(place) == []


WRONG: list[tuple[Any, str]] = [
    ({}, "command"),
    ({"command": ["a"], "script": "b"}, "command"),
    ({"command": []}, "command"),
    ({"command": [""]}, "command"),
    ({"command": "true"}, "command"),
    ({"command": [1]}, "command[0]"),
    ({"command": ["a\0b"]}, "command"),
    ({"script": "  "}, "script"),
    ({"script": "a\0b"}, "script"),
    ({"command": ["a"], "env": {"A": 1}}, "env.A"),
    ({"command": ["a"], "env": {"A=B": "1"}}, "env.A=B"),
    ({"command": ["a"], "env": {"A": "\0"}}, "env"),
    ({"command": ["a"], "env": {"ROTA_JOB_ID": "x"}}, "env.ROTA_JOB_ID"),
    ({"command": ["a"], "env": {"ROTA_ATTEMPT": "1"}}, "env.ROTA_ATTEMPT"),
    ({"command": ["a"], "env": {"ROTA_RESULT": "/x"}}, "env.ROTA_RESULT"),
    ({"command": ["a"], "requires": {"": "x"}}, "requires"),
    ({"command": ["a"], "tags": {"": "x"}}, "tags"),
    ({"command": ["a"], "artifacts": ["x"] * 1001}, "artifacts"),
    ({"command": ["a"], "timeout_s": "60"}, "timeout_s"),
    ({"command": ["a"], "timeout_s": 0}, "timeout_s"),
    ({"command": ["a"], "timeout_s": True}, "timeout_s"),
    ({"command": ["a"], "grace_s": -1}, "grace_s"),
    ({"command": ["a"], "queue_timeout_s": -1}, "queue_timeout_s"),
    ({"command": ["a"], "priority": 101}, "priority"),
    ({"command": ["a"], "priority": 1.5}, "priority"),
    ({"command": ["a"], "name": ""}, "name"),
    ({"command": ["a"], "executor": "teleport"}, "executor"),
    ({"command": ["a"], "artifacts": ["../x"]}, "artifacts[0]"),
    ({"command": ["a"], "artifacts": ["/etc/passwd"]}, "artifacts[0]"),
    ({"command": ["a"], "tags": {"a": None}}, "tags.a"),
    ({"command": ["a"], "inputs": [{"path": "../x", "content": ""}]}, "inputs[0].path"),
    ({"command": ["a"], "inputs": [{"path": "/x", "content": ""}]}, "inputs[0].path"),
    ({"command": ["a"], "inputs": [{"path": "a\0b", "content": ""}]}, "inputs[0].path"),
    ({"command": ["a"], "inputs": [{"path": "C:\\x", "content": ""}]}, "inputs[0].path"),
    ({"command": ["a"], "inputs": [{"path": "x"}]}, "inputs[0].content"),
    ({"command": ["a"], "inputs": [{"path": "x", "content": "%%"}]}, "inputs[0].content"),
    ({"command": ["a"], "inputs": [{"path": "x", "content": "", "mode": 1}]}, "inputs[0].mode"),
    ({"command": ["a"], "comand": ["b"]}, "comand"),
    ([], "body"),
    ("text", "body"),
    ({"jobs": []}, "jobs"),
    ({"jobs": None}, "jobs"),
    ({"jobs": [{"command": ["a"]}], "command": ["a"]}, "command"),
    ({"jobs": [{"command": []}]}, "jobs[0].command"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=str)
def test_a_spec_that_could_not_work_is_refused_by_its_fields_name(place: Place, body: Any, field: str) -> None:  # noqa: ANN401
    refused(place.admin.post(JOBS, json=body), 422, "invalid-request", field)


LATER = {
    "secrets": ["KEY"], "image": "alpine",
}  # fmt: skip


@pytest.mark.parametrize("field", LATER)
def test_what_the_protocol_names_and_is_not_built_is_refused_by_name(place: Place, field: str) -> None:
    answer = submit(place, {"command": ["true"], "environment": place.name, field: LATER[field]})

    assert "not supported by this server yet" in refused(answer, 422, "invalid-request", field)["detail"]
    assert listed(place) == []


def test_inputs_from_elsewhere_are_refused_by_name(place: Place) -> None:
    answer = submit(place, {"command": ["true"], "inputs": [{"path": "in", "url": "http://x/"}]})

    refused(answer, 422, "invalid-request", "inputs[0].url")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"command": ["true"]} x', b'{"command": ["\xff"]}', b'{"command": ["\\ud800"]}', b'{"command": NaN}'],
)
def test_what_is_no_json_in_utf_8_is_400(place: Place, body: bytes) -> None:
    refused(place.admin.post(JOBS, content=body), 400, "invalid-request")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"env":{"a":', b'{"jobs":[{"env":'])
def test_nesting_without_end_is_refused_and_not_a_fault(place: Place, opening: bytes) -> None:
    answer = place.admin.post(JOBS, content=opening * 100_000)

    assert answer.status_code in {400, 422}
    refused(answer, answer.status_code, "invalid-request")


def test_the_same_key_and_body_again_answers_the_first_job(place: Place) -> None:
    spec = {"command": ["true"], "environment": place.name}
    first = submit(place, spec, "key-1")

    again = submit(place, spec, "key-1")

    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["location"] == first.headers["location"]
    assert len(listed(place)) == 1
    assert submit(place, spec, "key-2").json()["id"] != first.json()["id"]


def test_the_same_key_with_another_body_is_a_conflict(place: Place) -> None:
    submit(place, {"command": ["true"], "environment": place.name}, "key-3")

    refused(submit(place, {"command": ["false"], "environment": place.name}, "key-3"), 409, "conflict")
    assert len(listed(place)) == 1


def test_a_key_belongs_to_who_sent_it(place: Place) -> None:
    spec = {"command": ["true"], "environment": place.name}
    mine = submit(place, spec, "key-4").json()["id"]

    theirs = place.client("submit").post(JOBS, json=spec, headers={"Idempotency-Key": "key-4"}).json()["id"]

    assert theirs != mine


def test_fifty_at_once_with_one_key_make_one_job(place: Place) -> None:
    body = {"jobs": [{"command": ["true"], "environment": place.name}] * 3}

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: submit(place, body, "key-5"), range(50)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({tuple(job["id"] for job in answer.json()["jobs"]) for answer in answers}) == 1
    assert len(listed(place)) == 3


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_key_has_1_to_200_characters(place: Place, key: str) -> None:
    refused(submit(place, {"command": ["true"]}, key), 422, "invalid-request", "Idempotency-Key")


def test_a_submit_token_submits_to_its_own_environment_and_to_no_other(place: Place) -> None:
    mine = place.client("submit")

    assert mine.post(JOBS, json={"command": ["true"]}).json()["environment"] == place.name
    refused(mine.post(JOBS, json={"command": ["true"], "environment": "default"}), 403, "forbidden")
    refused(mine.post(JOBS, json={"command": ["true"], "environment": "nowhere"}), 403, "forbidden")


def test_tags_that_read_alike_are_no_clash(place: Place) -> None:
    job = place.submit(tags={"a": "b:c", "a:b": "c"})

    found = place.admin.get(JOBS, params={"tag": "a:b:c", "environment": place.name}).json()["jobs"]
    assert [one["id"] for one in found] == [job]
