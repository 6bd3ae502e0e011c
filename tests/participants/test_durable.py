"""What was answered for is there after a power cut; one server a folder. Source: guarantees.md, G1, G5, F2, F41."""

import base64
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import HandWorker, Json, Server, ended, environment_of_tests, finished, free_port
from participants.place import received, refused, rejected

ROUNDS = 12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that may be killed."""
    started = Server(tmp_path / "data")
    yield started
    started.stop()


def test_what_was_acknowledged_survives_a_kill_every_time(server: Server) -> None:
    """Each round: SIGKILL right behind the answer to a submission, an offer, or a finish, in turns."""
    log = b"x" * 70_000
    jobs: list[str] = []
    worker = HandWorker(server)
    with server.client() as admin, worker.http as http:
        for number in range(ROUNDS):
            spec, key = {"command": ["true"], "name": f"round {number}"}, {"Idempotency-Key": f"k{number}"}
            job = admin.post("/api/v1/jobs", json=spec, headers=key).json()["id"]
            killed_after(server, number, 0)
            assert admin.post("/api/v1/jobs", json=spec, headers=key).json()["id"] == job
            [offer] = worker.get_job(wait_s=5)
            attempt = offer["attempt_id"]
            killed_after(server, number, 1)
            http.patch(f"/gateway/v1/attempts/{attempt}/log", content=log, headers={"Upload-Offset": "0"})
            report = finished(attempt, log, number) | {"log": finished(attempt, log)["log"] | {"inline": None}}
            assert received(worker.finish(report)) == [attempt]
            killed_after(server, number, 2)
            assert received(worker.finish(report)) == [attempt]
            other = report | {"result": report["result"] | {"exit_code": 99}}
            assert rejected(worker.finish(other).json()) == [(attempt, "conflict")]
            jobs.append(job)
        for number, job in enumerate(jobs):
            shown = ended(admin, job)
            assert (shown["state"], shown["result"]["exit_code"], len(shown["attempts"])) == ("finished", number, 1)
            assert admin.get(f"/api/v1/jobs/{job}/log").content == log
        assert [job["id"] for job in admin.get("/api/v1/jobs").json()["jobs"]] == jobs[::-1]


def killed_after(server: Server, number: int, step: int) -> None:
    """Each round is cut off at one of its three steps."""
    if number % 3 == step:
        kill(server)


def kill(server: Server) -> None:
    server.kill()
    server.start()


def test_all_of_a_large_submission_or_none_of_it(server: Server) -> None:
    content = base64.b64encode(b"z" * 1000).decode()
    specs: list[Json] = [{"command": ["true"], "inputs": [{"path": "in", "content": content}]}] * 500

    with server.client() as admin:
        told = admin.post("/api/v1/jobs", json={"jobs": specs}).json()["jobs"]
        kill(server)
        found = admin.get("/api/v1/jobs", params={"limit": 1000}).json()["jobs"]

    assert sorted(job["id"] for job in found) == [job["id"] for job in told]


def test_a_lease_is_whole_again_after_a_start(server: Server) -> None:
    """While the server was away nobody could renew it. Source: guarantees.md, G10, F24."""
    with server.client() as admin:
        admin.post("/api/v1/environments", json={"name": "e", "worker_auth": "jwt", "heartbeat_s": 1, "lease_s": 3})
        worker = HandWorker(server, "e")
        with worker.http:
            job = admin.post("/api/v1/jobs", json={"command": ["true"], "environment": "e"}).json()["id"]
            [offer] = worker.get_job()
            kill(server)

            told = worker.post("/gateway/v1/heartbeat", {"attempts": [offer["attempt_id"]]}).json()

            assert (told["lost"], admin.get(f"/api/v1/jobs/{job}").json()["state"]) == ([], "running")


def test_tokens_and_credentials_outlive_the_process(server: Server) -> None:
    token = server.admin_token
    worker = HandWorker(server)
    with worker.http:
        kill(server)

        assert server.admin_token == token
        assert worker.status("ready_for_work").status_code == 200


def refusal(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A server that does not start."""
    command = [sys.executable, "-m", "rota", "server", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=False, env=environment_of_tests(**variables)
    )


def says_why(told: subprocess.CompletedProcess[str], *words: str) -> None:
    assert told.returncode not in {0, -6, -9, -11}
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    lines = [line for line in told.stderr.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 2, told.stderr
    assert all(word in told.stderr for word in words), told.stderr


def test_a_second_server_on_the_same_folder_refuses_in_a_line(server: Server) -> None:
    """Source: guarantees.md, F52."""
    says_why(refusal("--data", str(server.data), "--listen", f"127.0.0.1:{free_port()}"), "Another server", "rota.db")
    with server.client() as admin:
        assert admin.get("/readyz").status_code == 200
        assert admin.get("/api/v1/jobs").status_code == 200


def test_an_address_that_is_taken_is_told_in_a_line(server: Server, tmp_path: Path) -> None:
    address = f"127.0.0.1:{server.port}"

    says_why(refusal("--data", str(tmp_path / "other"), "--listen", address), address)


def test_what_is_not_built_is_refused_at_the_start(tmp_path: Path) -> None:
    listen = ["--listen", f"127.0.0.1:{free_port()}", "--data", str(tmp_path / "data")]

    says_why(refusal(*listen, "--database", "postgresql://x/y"), "SQLite")
    says_why(refusal(*listen, "--blobs", "s3://x/y"), "s3")
    says_why(refusal(*listen, "--only", "gateway"), "ROTA_JOBS_URL")
    says_why(refusal(*listen, ROTA_LOG_SIZE_BYTES_MAX="lots"), "ROTA_LOG_SIZE_BYTES_MAX")
    says_why(refusal(*listen, ROTA_LOG_SIZE_BYTES_MAX="1000"), "at least 65536")


def test_a_database_that_is_none_or_newer_is_left_alone(tmp_path: Path) -> None:
    listen = ["--listen", f"127.0.0.1:{free_port()}"]
    garbage = tmp_path / "garbage" / "rota.db"
    garbage.parent.mkdir()
    garbage.write_bytes(b"not a database at all" * 100)
    before = garbage.read_bytes()

    says_why(refusal("--data", str(garbage.parent), *listen), "not a database")

    assert garbage.read_bytes() == before


def test_a_log_that_floods_ends_at_the_limit_of_the_settings(tmp_path: Path) -> None:
    started = Server(tmp_path / "small", ROTA_LOG_SIZE_BYTES_MAX="100000", ROTA_ARTIFACT_SIZE_BYTES_MAX="70000")
    try:
        worker = HandWorker(started)
        with started.client() as admin, worker.http as http:
            job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
            [offer] = worker.get_job()
            base = f"/gateway/v1/attempts/{offer['attempt_id']}"

            for path in ("log", "artifacts/a"):
                flood = itertools.repeat(b"x" * 10_000, 30)
                refused(http.patch(f"{base}/{path}", content=flood, headers={"Upload-Offset": "0"}), 413, "too-large")

            assert int(http.head(f"{base}/log").headers["upload-offset"]) <= 100_000
            assert len(admin.get(f"/api/v1/jobs/{job}/log").content) <= 100_000
            assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "running"
    finally:
        started.stop()
