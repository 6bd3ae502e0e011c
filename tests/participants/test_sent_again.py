"""Every message sent again is answered the same, without a second effect: its answer was lost, or the server died.

Source: protocol.md, "getJob", "refuse job", "jobFinished", "Idempotency-Key"; guarantees.md, F2, F5, F23, F41.
"""

from collections.abc import Iterator

import pytest

from house import HandWorker, Json, Server, ended, finished
from participants.place import Place, beat, received, refuse
from waiting import until

KILLED = pytest.mark.parametrize("killed", [False, True], ids=["answer lost", "server killed"])


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may be killed."""
    started = Server(tmp_path_factory.mktemp("mortal") / "data")
    yield started
    started.stop()


@pytest.fixture
def here(mortal: Server) -> Iterator[Place]:
    with mortal.client() as admin, Place(mortal, admin) as made:
        yield made


def dies(place: Place, *, killed: bool) -> None:
    """Right behind the first answer, which reaches nobody."""
    if killed:
        place.server.kill()
        place.server.start()


@KILLED
def test_get_job_with_the_same_request_id(here: Place, *, killed: bool) -> None:
    worker, other = here.worker(), here.worker("other")
    jobs = [here.submit(), here.submit(lease_policy="keep")]
    first = worker.get_job(slots=2, request_id="r")
    dies(here, killed=killed)

    assert worker.get_job(slots=2, request_id="r") == first

    assert ([offer["job_id"] for offer in first], other.get_job()) == (jobs, [])
    assert [len(here.job(job)["attempts"]) for job in jobs] == [1, 1]


@KILLED
def test_refuse_job(here: Place, *, killed: bool) -> None:
    worker = here.worker()
    (job, attempt), _later = here.held(worker), here.submit()
    first = refuse(worker, attempt)
    before = here.job(job)
    dies(here, killed=killed)

    assert refuse(worker, attempt) == first == {"accepted": [attempt], "rejected": []}

    assert here.job(job) == before
    [offer] = here.worker("other").get_job()
    assert (offer["job_id"], offer["number"]) == (job, 1)
    assert refuse(worker, attempt) == first
    assert here.job(job)["attempts"][1]["state"] == "assigned", "it is another's by now"


@KILLED
@pytest.mark.parametrize("exit_code", [0, 7])
def test_job_finished(here: Place, exit_code: int, *, killed: bool) -> None:
    worker = here.worker()
    job, attempt = here.running(worker)
    report = finished(attempt, b"log", exit_code)
    assert received(worker.finish(report)) == [attempt]
    before = ended(here.admin, job)
    dies(here, killed=killed)

    assert received(worker.finish(report, report)) == [attempt, attempt]

    assert here.job(job) == before
    assert here.admin.get(f"/api/v1/jobs/{job}/log").content == b"log"


@KILLED
def test_a_heartbeat(here: Place, *, killed: bool) -> None:
    worker = here.worker()
    job, attempt = here.held(worker)
    here.admin.post(f"/api/v1/jobs/{job}/cancel")
    first = beat(worker, attempt, "unknown")
    before = here.job(job)
    dies(here, killed=killed)

    assert beat(worker, attempt, "unknown") == first == {"lease_s": 30, "cancel": [attempt], "lost": ["unknown"]}

    assert here.job(job) == before


@KILLED
@pytest.mark.parametrize("many", [False, True])
def test_a_submission_with_a_key(here: Place, *, killed: bool, many: bool) -> None:
    spec: Json = {"command": ["true"], "environment": here.name}
    body = {"jobs": [spec, spec]} if many else spec
    headers = {"Idempotency-Key": here.name}
    first = here.admin.post("/api/v1/jobs", json=body, headers=headers).json()
    dies(here, killed=killed)

    again = here.admin.post("/api/v1/jobs", json=body, headers=headers)

    assert (again.status_code, again.json()) == (201, first)
    listed = here.admin.get("/api/v1/jobs", params={"environment": here.name}).json()["jobs"]
    assert len(listed) == (2 if many else 1)


@KILLED
def test_an_upload_is_never_stored_twice(here: Place, *, killed: bool) -> None:
    worker: HandWorker = here.worker()
    _, attempt = here.running(worker)
    path, at_0 = f"/gateway/v1/attempts/{attempt}/artifacts/a", {"Upload-Offset": "0"}
    assert worker.http.patch(path, content=b"abc", headers=at_0).headers["upload-offset"] == "3"
    dies(here, killed=killed)
    stored = int(worker.http.head(path).headers["upload-offset"])

    again = worker.http.patch(path, content=b"abc", headers=at_0)

    if stored:  # what was not asked to be durable may be gone with the power, and is then asked for
        assert (again.status_code, again.json()["offset"]) == (409, stored)
    assert worker.http.head(path).headers["upload-offset"] == "3"


def test_a_detached_attempt_outlives_the_server(here: Place, mortal: Server) -> None:
    """Its worker takes it up again; and no other gets it, whenever the server was killed."""
    with Place(mortal, here.admin, heartbeat_s=0.2, lease_s=0.6) as quick:
        worker, other = quick.worker(), quick.worker("other")
        job, attempt = quick.running(worker, lease_policy="keep")
        until(lambda: quick.job(job)["attempts"][0]["state"] == "detached", 5)
        dies(quick, killed=True)

        assert (other.get_job(wait_s=1), quick.job(job)["attempts"][0]["state"]) == ([], "detached")

        assert beat(worker, attempt)["lost"] == []
        assert received(worker.finish(finished(attempt))) == [attempt]
        assert ended(quick.admin, job)["verdict"] == "succeeded"
