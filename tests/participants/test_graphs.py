"""Needs, arrays and groups over HTTP. Source: protocol.md, "needs", "matrix", "concurrency"."""

import hashlib

import httpx2
import pytest

from house import HandWorker, Json, described, ended, finished, inline
from participants.place import Place, beat, received, refused

JOBS = "/api/v1/jobs"


def submit(place: Place, *specs: Json) -> httpx2.Response:
    given = [{"command": ["true"], "environment": place.name, **spec} for spec in specs]
    return place.admin.post(JOBS, json={"jobs": given})


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 201, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def listed(place: Place, **filters: str) -> list[str]:
    answer = place.admin.get(JOBS, params={"environment": place.name, **filters})
    assert answer.status_code == 200, answer.text
    return sorted(job["id"] for job in answer.json()["jobs"])


def test_jobs_of_one_submission_need_each_other_by_name(place: Place, worker: HandWorker) -> None:
    build, test = ids(submit(place, {"name": "build"}, {"name": "test", "needs": [{"job": "build"}]}))
    assert place.job(test)["spec"]["needs"] == [{"job_id": build}]
    [offer] = worker.get_job(slots=2)
    assert offer["job_id"] == build

    received(worker.finish(finished(offer["attempt_id"])))

    [then] = worker.get_job(wait_s=20)
    assert then["job_id"] == test


def test_who_waits_in_vain_is_cancelled_and_who_watches_it_hears(place: Place, worker: HandWorker) -> None:
    build, test, ship = ids(
        submit(place, {"name": "build"}, {"name": "test", "needs": [{"job": "build"}]}, {"needs": [{"job": "test"}]})
    )
    [offer] = worker.get_job()
    received(worker.finish(finished(offer["attempt_id"], exit_code=1)))

    skipped = ended(place.admin, ship)

    assert (skipped["state"], skipped["verdict"]) == ("cancelled", "failed")
    assert skipped["message"] == f"It needs job {test} (test) to have succeeded, which was cancelled."
    assert place.job(test)["message"] == f"It needs job {build} (build) to have succeeded, which failed."


@pytest.mark.parametrize(
    ("specs", "field"),
    [
        ([{"name": "a", "needs": [{"job": "b"}]}, {"name": "b", "needs": [{"job": "a"}]}], "jobs[0].needs"),
        ([{"needs": ["no-such-job"]}], "jobs[0].needs[0]"),
        ([{}, {"needs": [{"job": "x"}]}], "jobs[1].needs[0].job"),
        ([{"needs": [{"job_id": "x", "job": "y"}]}], "jobs[0].needs[0]"),
        ([{"array": 10_001}], "jobs[0].array"),
        ([{"matrix": {"a": [1, 2], "b": []}}], "jobs[0].matrix.b"),
        ([{}, {"array": 6000}, {"array": 6000}], "jobs[2].array"),
        ([{"concurrency": {"group": "g", "rate": {"count": 0, "per_s": 1}}}], "jobs[0].concurrency.rate.count"),
        ([{"concurrency": {"group": "g", "limits": 1}}], "jobs[0].concurrency.limits"),
        ([{"inputs": [{"path": "a", "artifact": {"job_id": "x", "path": "b"}}]}], "jobs[0].inputs[0].artifact"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name_and_nothing_is_submitted(
    place: Place, specs: list[Json], field: str
) -> None:
    refused(submit(place, *specs), 422, "invalid-request", field)

    assert listed(place) == []


def test_a_job_of_another_environment_is_as_unknown_as_none(place: Place, quick: Place) -> None:
    theirs = quick.submit()
    with place.client("submit") as client:
        by_need = client.post(JOBS, json={"command": ["true"], "needs": [theirs]})
        file = {"path": "in", "result": {"job_id": theirs}}
        by_input = client.post(JOBS, json={"command": ["true"], "inputs": [file]})

    assert f"there is no such job: {theirs}" in refused(by_need, 422, "invalid-request", "needs[0]")["detail"]
    refused(by_input, 422, "invalid-request", "inputs[0].result")
    assert listed(place) == []


def test_a_large_artifact_of_another_job_is_an_input_with_ranges(place: Place, worker: HandWorker) -> None:
    content = b"0123456789" * 30_000
    digest = hashlib.sha256(content).hexdigest()
    given = [{"path": "in/x", "artifact": {"job": "maker", "path": "out/x"}}, {"path": "v", "result": {"job": "maker"}}]
    maker, user = ids(submit(place, {"name": "maker"}, {"needs": [{"job": "maker"}], "inputs": given}))
    [offer] = worker.get_job()
    upload = f"/gateway/v1/attempts/{offer['attempt_id']}/artifacts/out/x"
    assert worker.http.patch(upload, content=content, headers={"Upload-Offset": "0"}).status_code == 204
    small = {"path": "out/y", "mode": 0o644, **inline(b"y")}
    report = finished(offer["attempt_id"], artifacts=[{"path": "out/x", "mode": 0o644, **described(content)}, small])
    report["result"]["value"] = {"accuracy": 0.93}
    received(worker.finish(report))

    [then] = worker.get_job(wait_s=20)

    assert then["job_id"] == user
    assert then["inputs"][0] == {"path": "in/x", "size_bytes": len(content), "sha256": digest}
    url = f"/gateway/v1/attempts/{then['attempt_id']}/inputs"
    assert worker.http.get(f"{url}/in/x").content == content
    part = worker.http.get(f"{url}/in/x", headers={"Range": "bytes=299990-"})
    assert (part.status_code, part.content) == (206, b"0123456789")
    assert worker.http.get(f"{url}/v").content == b'{"accuracy":0.93}\n'
    assert place.job(user)["spec"]["inputs"][0] == {"path": "in/x", "artifact": {"job_id": maker, "path": "out/x"}}


def test_an_array_is_shown_as_one_with_its_parts_counted(place: Place) -> None:
    answer = place.admin.post(JOBS, json={"command": ["true"], "environment": place.name, "matrix": {"os": ["a", "b"]}})
    array = answer.json()

    assert answer.status_code == 201
    assert array["spec"]["matrix"] == {"os": ["a", "b"]}
    assert len(array["children"]) == 2
    assert (array["parts"]["total"], array["parts"]["queued"]) == (2, 2)
    part = place.job(array["children"][1])
    assert part["parent_id"] == array["id"]
    assert part["spec"]["env"] == {"ROTA_MATRIX_OS": "b", "ROTA_ARRAY_INDEX": "1"}
    assert "children" not in part
    assert listed(place) == sorted([array["id"], *array["children"]])
    assert listed(place, parts="false") == [array["id"]]
    assert listed(place, parent=array["id"]) == sorted(array["children"])
    shown = place.admin.get(JOBS, params={"environment": place.name, "parts": "false"}).json()["jobs"][0]
    assert "children" not in shown
    assert shown["parts"]["total"] == 2
    refused(place.admin.get(JOBS, params={"parts": "no"}), 422, "invalid-request", "parts")


def test_the_same_key_again_gives_the_same_array(place: Place) -> None:
    body = {"command": ["true"], "environment": place.name, "array": 3}
    first, again = (place.admin.post(JOBS, json=body, headers={"Idempotency-Key": place.name}).json() for _ in range(2))

    assert (again["id"], again["children"]) == (first["id"], first["children"])
    assert len(listed(place)) == 4


def test_an_array_is_waited_for_cancelled_and_run_again(place: Place, worker: HandWorker) -> None:
    array = place.admin.post(JOBS, json={"command": ["true"], "environment": place.name, "array": 3}).json()
    [offer] = worker.get_job()
    beat(worker, offer["attempt_id"])
    refused(place.admin.post(f"{JOBS}/{array['id']}/retry"), 409, "conflict")

    place.admin.post(f"{JOBS}/{array['id']}/cancel")

    assert beat(worker, offer["attempt_id"])["cancel"] == [offer["attempt_id"]]
    result = {**finished(offer["attempt_id"])["result"], "reason": "cancelled", "exit_code": None, "signal": "SIGTERM"}
    received(worker.finish({**finished(offer["attempt_id"]), "result": result}))
    over = ended(place.admin, array["id"])
    assert (over["state"], over["verdict"], over["parts"]["cancelled"]) == ("cancelled", "failed", 3)
    refused(place.admin.post(f"{JOBS}/{array['id']}/retry", params={"only": "some"}), 422, "invalid-request", "only")
    again = place.admin.post(f"{JOBS}/{array['id']}/retry", params={"only": "failed"}).json()
    assert (again["state"], again["parts"]["queued"]) == ("waiting", 3)
    assert len(worker.get_job(slots=5)) == 3


def test_what_runs_in_a_group_is_stopped_by_the_next_that_wants_its_place(place: Place, worker: HandWorker) -> None:
    group = {"group": "deploy", "cancel_in_progress": True}
    running, attempt = place.running(worker, concurrency=group)

    newest = place.submit(concurrency=group)

    assert beat(worker, attempt)["cancel"] == [attempt]
    assert place.state(newest) == "waiting"
    assert place.job(running)["message"] == f"Job {newest} took its place in its concurrency group."
    result = {**finished(attempt)["result"], "reason": "cancelled"}
    received(worker.finish({**finished(attempt), "result": result}))
    [offer] = worker.get_job(wait_s=20)
    assert offer["job_id"] == newest


def test_a_rate_lets_the_next_one_in_by_itself(place: Place, worker: HandWorker) -> None:
    rate = {"group": "api", "limit": 5, "rate": {"count": 1, "per_s": 1}}
    first, second = ids(submit(place, {"concurrency": rate}, {"concurrency": rate}))
    assert [place.state(first), place.state(second)] == ["queued", "waiting"]

    given = [worker.get_job(wait_s=20)[0]["job_id"] for _ in range(2)]

    assert given == [first, second]


def test_the_list_of_ten_thousand_parts_says_nothing_twice(place: Place) -> None:
    answer = place.admin.post(JOBS, json={"command": ["true"], "environment": place.name, "array": 10_000})

    assert len(answer.json()["children"]) == 10_000
    assert len(answer.content) < 10_000 * 40 + 2_000
    assert len(place.admin.get(JOBS, params={"environment": place.name, "parts": "false"}).content) < 2_000
    cancelled = place.admin.post(f"{JOBS}/{answer.json()['id']}/cancel")
    assert cancelled.json()["parts"]["cancelled"] == 10_000


def test_a_schedule_makes_arrays_and_replaces_them_whole(place: Place) -> None:
    spec = {"command": ["true"], "array": 3, "environment": place.name}
    body = {"name": place.name, "every_s": 3600, "overlap": "replace", "spec": spec}
    made = place.admin.post("/api/v1/schedules", json=body)
    assert made.status_code == 201, made.text
    run = f"/api/v1/schedules/{place.name}/run"

    first, second = (place.admin.post(run, params={"environment": place.name}).json() for _ in range(2))

    assert ended(place.admin, first["id"])["parts"]["cancelled"] == 3
    assert place.job(second["id"])["parts"]["queued"] == 3
