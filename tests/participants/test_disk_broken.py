"""A disk that failed to confirm a write is not asked again: the server stops. Source: guarantees.md, F36."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import failing_disk
from house import HandWorker, Server, described, ended, finished
from participants.place import received, refused
from waiting import until


class FailingServer(Server):
    """On a disk that fails while a file exists."""

    program = (str(Path(failing_disk.__file__)),)

    def __init__(self, data: Path) -> None:
        self.fails_while = data.with_suffix(".fails")
        super().__init__(data, FAILS_WHILE=str(self.fails_while))


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
