"""A worker's limits are settings of its command line."""

from pathlib import Path

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
