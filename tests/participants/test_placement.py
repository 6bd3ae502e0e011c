"""Where a job runs: conditions on labels, preferences, resources. Source: protocol.md, "Spec", "Where a job runs"."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from house import HandWorker, Json, Server, finished
from participants.place import Place, received, refuse, refused
from waiting import until

JOBS = "/api/v1/jobs"


def given(worker: HandWorker, slots: int = 10) -> list[str]:
    """The ids of the jobs that it is given."""
    return [offer["job_id"] for offer in worker.get_job(slots)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """For questions that are held."""
    with ThreadPoolExecutor(8) as made:
        yield made


def held(place: Place, pool: ThreadPoolExecutor, *workers: HandWorker, slots: int = 1) -> list[Future[list[Json]]]:
    """A getJob of each, in this order, each held before the next one asks."""
    questions = []
    for count, worker in enumerate(workers, 1):
        questions.append(pool.submit(worker.get_job, slots, 30))
        metrics = f"rota_get_job_held {count}.0"
        until(lambda metrics=metrics: metrics in place.admin.get("/metrics").text, 10, metrics)  # type: ignore[misc]
    return questions


@pytest.mark.parametrize(
    ("requires", "fitting"),
    [
        ({"cuda": {"ge": "12.2"}}, {"new", "newer"}),
        ({"cuda": {"ge": "12.2", "lt": "12.10"}}, {"new"}),
        ({"cuda": {"gt": 11}}, {"old", "new", "newer"}),
        ({"gpu": ["a100", "h100"]}, {"old", "newer"}),
        ({"gpu": {"not_in": ["a100", "h100"]}}, {"new", "bare"}),
        ({"gpu": {"ne": "a100"}, "cuda": {"exists": True}}, {"new", "newer"}),
        ({"cuda": {"exists": False}}, {"bare"}),
        ({"cuda": {"not": {"ge": "12.2"}}}, {"old", "bare"}),
        ({"cuda": "12.2"}, {"new"}),
        ({"cuda": "12.20"}, set()),
    ],
)
def test_a_job_goes_to_workers_whose_labels_satisfy_all_its_conditions(
    place: Place, requires: Json, fitting: set[str]
) -> None:
    labels: dict[str, dict[str, str]] = {
        "old": {"cuda": "11.8", "gpu": "a100"},
        "new": {"cuda": "12.2", "gpu": "t4"},
        "newer": {"cuda": "12.10", "gpu": "h100"},
        "bare": {},
    }
    workers = {name: place.worker(name, labels=theirs) for name, theirs in labels.items()}

    found = set()
    for name, worker in workers.items():
        job = place.submit(requires=requires)
        if given(worker) == [job]:
            found.add(name)
        place.admin.post(f"{JOBS}/{job}/cancel")
    assert found == fitting


def test_a_spec_is_shown_as_it_was_submitted(place: Place) -> None:
    spec = {
        "requires": {"gpu": ["a100"], "cuda": {"ge": "12.2", "not": {"eq": 13}}, "site": "lab"},
        "prefers": {"cache": "warm"},
        "resources": {"cpus": 1.5, "memory_bytes": 2**30, "licences": 2},
    }
    job = place.submit(**spec)
    worker = place.worker(
        labels={"gpu": "a100", "cuda": "12.4", "site": "lab"},
        resources={"cpus": 2, "memory_bytes": 2**31, "licences": 2},
    )

    shown = place.job(job)["spec"]
    [offer] = worker.get_job()

    assert {field: shown[field] for field in spec} == spec
    assert {field: offer["spec"][field] for field in spec} == spec


@pytest.mark.parametrize(
    ("fields", "field", "word"),
    [
        ({"requires": {"cuda": {"gte": "12"}}}, "requires.cuda.gte", "ge"),
        ({"requires": {"cuda": {"ge": "new"}}}, "requires.cuda.ge", "12.2"),
        ({"requires": {"cuda": {}}}, "requires.cuda", "`ge`"),
        ({"requires": {"cuda": 12}}, "requires.cuda", "condition"),
        ({"requires": {"cuda": None}}, "requires.cuda", "condition"),
        ({"requires": {"cuda": {"ge": True}}}, "requires.cuda.ge", "bool"),
        ({"requires": {"gpu": []}}, "requires.gpu", "a100"),
        ({"prefers": {"gpu": {"in": []}}}, "prefers.gpu.in", "at least one"),
        ({"prefers": {"": "x"}}, "prefers", "empty key"),
        ({"resources": {"cpus": 0}}, "resources.cpus", "more than 0"),
        ({"resources": {"cpus": -1}}, "resources.cpus", "from 0"),
        ({"resources": {"cpus": "2"}}, "resources.cpus", "a number"),
        ({"resources": {"cpu": 2}}, "resources.cpu", "`cpus`"),
        ({"resources": {"memory_bytes": "4GiB"}}, "resources.memory_bytes", "4294967296"),
        ({"resources": {"gpus": 0.5}}, "resources.gpus", "whole"),
        ({"resources": [1]}, "resources", "object"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_by_name_with_what_to_write(
    place: Place, fields: Json, field: str, word: str
) -> None:
    answer = place.admin.post(JOBS, json={"command": ["true"], "environment": place.name, **fields})

    problem = refused(answer, 422, "invalid-request", field)
    assert word in problem["errors"][0]["message"]
    assert place.admin.get(JOBS, params={"environment": place.name}).json()["jobs"] == []


def test_nan_is_no_json(place: Place) -> None:
    body = b'{"command": ["true"], "resources": {"cpus": NaN}}'

    refused(place.admin.post(JOBS, content=body), 400, "invalid-request")


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        ({"cpus": -1}, "resources.cpus"),
        ({"mem": 1}, "resources.mem"),
        ({"cpus": "many"}, "resources.cpus"),
        ({f"r{number}": 1 for number in range(21)}, "resources"),
    ],
)
def test_a_worker_that_offers_nonsense_is_not_enrolled_and_its_token_is_not_used_up(
    place: Place,
    resources: object,
    field: str,
) -> None:
    token = place.admin.post(
        f"/api/v1/environments/{place.name}/credentials", json={"kind": "enrolment", "uses": 1}
    ).json()["token"]
    body = {"name": "w", "labels": {}, "slots": 1, "executors": ["process"], "version": "t"}
    headers = {"Authorization": f"Bearer {token}"}
    with place.server.client(token) as client:
        answer = client.post("/registry/v1/workers", json={**body, "resources": resources}, headers=headers)
        refused(answer, 422, "invalid-request", field)
        assert client.post("/registry/v1/workers", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize("auth", ["jwt", "basic"])
def test_what_a_worker_offers_travels_in_its_credential_and_is_shown(
    server: Server, admin: httpx2.Client, auth: str
) -> None:
    with Place(server, admin, worker_auth=auth) as place:
        worker = place.worker(resources={"cpus": 4, "memory_bytes": 2**34, "licences": 0})
        job = place.submit(resources={"cpus": 4})

        [shown] = [one for one in admin.get("/api/v1/workers").json()["workers"] if one["worker_id"] == worker.id]
        assert shown["resources"] == {"cpus": 4, "memory_bytes": 2**34}
        assert given(worker) == [job]


def test_a_worker_of_an_older_version_is_given_what_asks_for_no_resources(place: Place) -> None:
    old = place.worker()
    place.submit(resources={"cpus": 1})
    plain = place.submit()
    none = place.submit(resources={"gpus": 0})

    assert given(old) == [plain, none]


def test_what_a_worker_holds_is_taken_and_what_ends_is_free(place: Place) -> None:
    worker = place.worker(resources={"cpus": 4})
    jobs = [place.submit(resources={"cpus": 1.5}) for _ in range(4)]
    offers = worker.get_job(10)

    assert [offer["job_id"] for offer in offers] == jobs[:2]
    assert given(worker) == []
    refuse(worker, offers[1]["attempt_id"])
    received(worker.finish(finished(offers[0]["attempt_id"])))
    assert given(worker) == jobs[1:3]


def test_a_held_question_is_answered_as_soon_as_there_is_room(place: Place, pool: ThreadPoolExecutor) -> None:
    worker = place.worker(resources={"cpus": 4})
    _, attempt = place.held(worker, resources={"cpus": 3})
    job = place.submit(resources={"cpus": 2})
    [question] = held(place, pool, worker)
    began = time.monotonic()

    received(worker.finish(finished(attempt)))

    assert [offer["job_id"] for offer in question.result(20)] == [job]
    assert time.monotonic() - began < 10


def test_a_job_finds_the_one_of_many_that_has_room(place: Place, pool: ThreadPoolExecutor) -> None:
    busy = [place.worker(f"busy{number}", resources={"cpus": 4}) for number in range(3)]
    for worker in busy:
        place.held(worker, resources={"cpus": 3})
    idle = place.worker("idle", resources={"cpus": 4})
    questions = held(place, pool, *busy, idle)
    began = time.monotonic()

    job = place.submit(resources={"cpus": 4})

    assert [offer["job_id"] for offer in questions[-1].result(20)] == [job]
    assert time.monotonic() - began < 10
    for worker in busy:  # end the questions that are still held
        place.submit(requires={"not": "them"})
        place.admin.post(f"/api/v1/workers/{worker.id}/drain")
    for _ in busy:
        place.submit()
    assert all(question.result(20) for question in questions)


def test_an_arrival_wakes_those_that_it_prefers_first(place: Place, pool: ThreadPoolExecutor) -> None:
    office = place.worker("office", labels={"site": "office"})
    lab = place.worker("lab", labels={"site": "lab", "cache": "warm"})
    half = place.worker("half", labels={"site": "lab"})
    questions = held(place, pool, office, half, lab)

    first = place.submit(prefers={"site": "lab", "cache": "warm"})
    assert [offer["job_id"] for offer in questions[2].result(20)] == [first]
    second = place.submit(prefers={"site": "lab", "cache": "warm"})
    assert [offer["job_id"] for offer in questions[1].result(20)] == [second]
    third = place.submit(prefers={"site": "lab", "cache": "warm"})
    assert [offer["job_id"] for offer in questions[0].result(20)] == [third]


def test_nothing_is_held_back_for_a_preference(place: Place) -> None:
    job = place.submit(prefers={"site": "nowhere"})

    assert given(place.worker()) == [job]


def test_a_worker_keeps_itself_free_for_a_job_that_was_passed_over_too_long(tmp_path: Path) -> None:
    """With real processes: the variable, the sweeper, the registry's word, and a drain that ends it."""
    server = Server(tmp_path / "data", ROTA_RESERVE_AFTER_S="0.2")
    try:
        with server.client() as admin, Place(server, admin) as place:
            anna = place.worker("anna", resources={"cpus": 4})
            anna.status("ready_for_work")
            held_attempts = [place.held(anna, resources={"cpus": 1})[1] for _ in range(4)]
            large = place.submit(resources={"cpus": 4})
            assert given(anna) == []
            began = time.monotonic()
            until(lambda: time.monotonic() - began > 0.3)
            assert given(anna) == []
            small = place.submit(resources={"cpus": 1})
            received(anna.finish(finished(held_attempts[0])))
            assert given(anna) == []

            admin.post(f"/api/v1/workers/{anna.id}/drain")
            bert = place.worker("bert", resources={"cpus": 4})
            assert place.state(large) == "queued"
            until(lambda: given(anna) == [small], 15)
            assert given(bert) == [large]
    finally:
        server.stop()


def test_a_worker_whose_resources_are_asked_for_by_none_is_as_before(place: Place) -> None:
    worker = place.worker(resources={"cpus": 1})
    jobs = [place.submit() for _ in range(10)]

    assert given(worker) == jobs
