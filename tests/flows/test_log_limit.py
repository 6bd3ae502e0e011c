"""A worker's limits are settings of its command line."""

from pathlib import Path

import pytest

from house import Server, Worker, ended


def test_a_log_beyond_the_workers_limit_is_cut_with_a_mark_and_the_job_goes_on(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    limit = ("--log-size-bytes-max", "1000")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker", 1, *limit)
    try:
        with server.client() as people:
            script = "head -c 5000 /dev/zero | tr '\\0' x; exit 4"
            job = people.post("/api/v1/jobs", json={"script": script}).json()["id"]
            assert ended(people, job)["result"]["exit_code"] == 4
            log = people.get(f"/api/v1/jobs/{job}/log").text
    finally:
        worker.stop()
        server.stop()
    assert log.startswith("x" * 1000 + "\n[rota: log cut")
    assert len(log) < 1200


@pytest.mark.parametrize("begin", ["", "yes | head -c 90000; sleep 1;"], ids=["at once", "after a part was sent"])
def test_a_log_beyond_the_servers_limit_is_cut_and_said_to_be_and_the_job_runs_once(tmp_path: Path, begin: str) -> None:
    server = Server(tmp_path / "data", ROTA_LOG_SIZE_BYTES_MAX="100000")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker", 1)
    try:
        with server.client() as people:
            job = people.post("/api/v1/jobs", json={"script": f"{begin} yes | head -c 500000; exit 4"}).json()["id"]
            shown = ended(people, job)
            log = people.get(f"/api/v1/jobs/{job}/log").content
    finally:
        worker.stop()
        server.stop()
    [attempt] = shown["attempts"]
    assert (shown["result"]["exit_code"], attempt["state"]) == (4, "finished")
    assert log == b"y\n" * 50_000
    assert [problem["message"] for problem in attempt["problems"]] == ["cut after 100000 bytes, the server's limit"]
