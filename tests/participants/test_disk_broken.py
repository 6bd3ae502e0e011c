"""A disk that failed to confirm a write is not asked again: the server stops. Source: guarantees.md, F36."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import failing_disk
from house import HandWorker, Server, described, ended, finished
from participants.place import received, refused
from waiting import until


class FailingServer(Server):
    """On a disk that fails while a file exists."""

    program = (str(Path(failing_disk.__file__)),)

    def __init__(self, data: Path, fsync_takes_s: float = 0) -> None:
        self.fails_while = data.with_suffix(".fails")
        super().__init__(data, FAILS_WHILE=str(self.fails_while), FSYNC_TAKES_S=str(fsync_takes_s))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FailingServer]:
    started = FailingServer(tmp_path / "data")
    yield started
    started.stop()


def stops_by_itself(server: Server) -> None:
    assert until(lambda: server.process.poll() is not None, 15, "the server goes on with a disk that fails")
    assert server.process.returncode == 1
    assert "failed to confirm a write" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_a_commit_that_was_not_confirmed_is_not_acknowledged_and_no_other_is_tried(server: FailingServer) -> None:
    with server.client() as admin:
        kept = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        server.fails_while.touch()

        problem = refused(admin.post("/api/v1/jobs", json={"command": ["true"]}), 503, "unavailable")
        server.fails_while.unlink()  # "done", fsync would say now, and be wrong

        assert "failed to confirm" in problem["detail"]
        stops_by_itself(server)
        server.start()
        assert kept in [job["id"] for job in admin.get("/api/v1/jobs").json()["jobs"]]
        assert admin.post("/api/v1/jobs", json={"command": ["true"]}).status_code == 201


def test_a_log_that_was_not_confirmed_ends_no_job_and_the_report_is_taken_after_a_new_start(
    server: FailingServer,
) -> None:
    log = b"x" * 100_000
    worker = HandWorker(server)
    with server.client() as admin, worker.http:
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job()
        attempt = offer["attempt_id"]
        headers = {"Upload-Offset": "0"}
        assert worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=log, headers=headers).status_code == 204
        report = finished(attempt) | {"log": described(log)}
        server.fails_while.touch()

        refused(worker.finish(report), 503, "unavailable")

        server.fails_while.unlink()
        stops_by_itself(server)
        server.start()
        assert received(worker.finish(report)) == [attempt]
        assert ended(admin, job)["state"] == "finished"
        assert admin.get(f"/api/v1/jobs/{job}/log").content == log


def test_a_slow_disk_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """Twenty that wait together wait once; a heartbeat does not wait at all."""
    takes_s, count = 0.25, 20
    started = FailingServer(tmp_path / "data", takes_s)
    try:
        worker = HandWorker(started)
        with started.client() as admin, worker.http, ThreadPoolExecutor(count) as pool:
            job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
            [offer] = worker.get_job()
            attempts = {"attempts": [offer["attempt_id"]]}
            assert worker.post("/gateway/v1/heartbeat", attempts).status_code == 200
            began = time.monotonic()
            submitting = [pool.submit(admin.post, "/api/v1/jobs", json={"command": ["true"]}) for _ in range(count)]

            beat = worker.post("/gateway/v1/heartbeat", attempts)
            beat_s = time.monotonic() - began
            answers = [submitted.result(30) for submitted in submitting]
            took_s = time.monotonic() - began

            assert (beat.status_code, [answer.status_code for answer in answers]) == (200, [201] * count)
            assert beat_s < takes_s <= took_s < takes_s * count / 2
            assert received(worker.finish(finished(offer["attempt_id"], b"log"))) == [offer["attempt_id"]]
            assert ended(admin, job)["state"] == "finished"
    finally:
        started.stop()
