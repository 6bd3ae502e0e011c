"""GET /api/v1/jobs and /{id}. Source: protocol.md, "Job service, the user's side"."""

from itertools import pairwise

import pytest

from house import finished
from participants.place import Place, refused

JOBS = "/api/v1/jobs"


def ids(place: Place, **filters: str | list[str]) -> list[str]:
    wanted: dict[str, str | list[str]] = {"environment": place.name, **filters}
    answer = place.admin.get(JOBS, params=wanted)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"jobs", "next_cursor"}
    return [job["id"] for job in answer.json()["jobs"]]


def test_newest_first(place: Place) -> None:
    submitted = [place.submit() for _ in range(5)]

    assert ids(place) == submitted[::-1]


def test_pages_show_every_job_once_while_more_come(place: Place) -> None:
    body = {"jobs": [{"command": ["true"], "environment": place.name}] * 25}
    submitted = [job["id"] for job in place.admin.post(JOBS, json=body).json()["jobs"]]
    seen: list[str] = []
    cursor: str | None = None

    for _ in range(10):
        given = {"limit": "7", "environment": place.name} | ({} if cursor is None else {"cursor": cursor})
        page = place.admin.get(JOBS, params=given).json()
        seen += [job["id"] for job in page["jobs"]]
        place.submit()  # newer than the first page: on none of the later ones
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert cursor is None
    assert seen == submitted[::-1]


def test_a_page_that_is_just_full_leads_on_to_the_end(place: Place) -> None:
    for _ in range(4):
        place.submit()

    page = place.admin.get(JOBS, params={"limit": 4, "environment": place.name}).json()

    assert len(page["jobs"]) == 4
    assert page["next_cursor"] is None


def test_filters_narrow_each_for_itself_and_all_together(place: Place) -> None:
    plain = place.submit(name="a", tags={"team": "x", "kind": "fast"})
    other = place.submit(name="b", tags={"team": "x"})
    for job in (plain, other):
        assert place.admin.post(f"{JOBS}/{job}/cancel").status_code == 200
    good, _ = place.ended(place.worker())

    assert ids(place, name="a") == [plain]
    assert ids(place, tag="team:x") == [other, plain]
    assert ids(place, tag=["team:x", "kind:fast"]) == [plain]
    assert ids(place, state="cancelled") == [other, plain]
    assert ids(place, state="finished") == [good]
    assert ids(place, verdict="succeeded") == [good]
    assert ids(place, name="a", state="finished") == []


def test_verdict_failed(place: Place) -> None:
    job, _ = place.ended(place.worker(), exit_code=3)

    assert ids(place, verdict="failed") == [job]
    assert place.job(job)["result"]["exit_code"] == 3


def test_submitted_after_is_a_moment_of_any_zone(place: Place) -> None:
    first, second = place.submit(), place.submit()
    at = place.job(first)["submitted_at"]

    assert ids(place, submitted_after=at) == [second]
    assert ids(place, submitted_after="2020-01-01T00:00:00+02:00") == [second, first]
    assert ids(place, submitted_after="2999-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "bored"), ("verdict", "maybe"), ("limit", "0"), ("limit", "1001"), ("limit", "1.5"), ("limit", "x"),
        ("limit", "9" * 5000), ("cursor", "%00"), ("cursor", "abc"), ("cursor", "YWJj"), ("tag", "untold"),
        ("submitted_after", "yesterday"), ("submitted_after", "2026-11-23"), ("colour", "red"),
        ("submitted_after", "2026-99-23T12:00:00Z"),
    ],
)  # fmt: skip
def test_a_parameter_that_is_unknown_or_out_of_range_is_refused_by_name(place: Place, name: str, value: str) -> None:
    refused(place.admin.get(JOBS, params={name: value}), 422, "invalid-request", name)


def test_a_parameter_given_twice_is_refused(place: Place) -> None:
    refused(place.admin.get(f"{JOBS}?limit=1&limit=2"), 422, "invalid-request", "limit")


def test_calls_without_parameters_refuse_them_too(place: Place) -> None:
    job = place.submit()

    for call in (f"{JOBS}/{job}?verbose=1", f"{JOBS}/{job}/artifacts?x=1", f"{JOBS}/{job}/flow?x=1", "/livez?x=1"):
        field = call.partition("?")[2].partition("=")[0]
        refused(place.admin.get(call), 422, "invalid-request", field)
    refused(place.admin.post(f"{JOBS}/{job}/cancel?force=1"), 422, "invalid-request", "force")
    assert place.state(job) == "queued"


def test_one_job_with_its_attempts(place: Place) -> None:
    worker = place.worker()
    job, attempt = place.held(worker)
    worker.finish(finished(attempt, exit_code=7))

    [shown] = place.job(job)["attempts"]

    assert {"attempt_id", "number", "worker_id", "state", "assigned_at", "started_at", "finished_at", "result"} <= set(
        shown
    )
    assert (shown["attempt_id"], shown["number"], shown["worker_id"]) == (attempt, 1, worker.id)
    assert (shown["state"], shown["result"]["exit_code"]) == ("finished", 7)


def test_unknown_and_foreign_jobs_are_told_alike(place: Place) -> None:
    foreign = place.admin.post(JOBS, json={"command": ["true"]}).json()["id"]
    viewer = place.client("view")
    jobs = (foreign, "01a209c7-2a4a-778f-be04-0e938b7a7b88", "nonsense")
    calls = ("", "/log", "/artifacts", "/artifacts/x", "/artifacts.tar.gz", "/flow")

    answers = [refused(viewer.get(f"{JOBS}/{job}{call}"), 404, "not-found") for job in jobs for call in calls]

    assert all(one == other for one, other in pairwise(answers))
    refused(viewer.get(JOBS, params={"environment": "default"}), 403, "forbidden")
    assert viewer.get(JOBS).json()["jobs"] == []
    assert place.admin.post(f"{JOBS}/{foreign}/cancel").status_code == 200
