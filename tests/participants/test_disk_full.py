"""The server's disk is full, or no longer to be believed. Source: guarantees.md, F35, F36."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import apsw
import httpx2
import pytest

from house import HandWorker, Json, Server, described, ended, finished
from participants.place import received, refused, rejected
from small_disk import empty, fill, mounted
from waiting import until

MIB = 1024 * 1024
SIZE_BYTES = 40 * MIB
LEAST_BYTES = SIZE_BYTES // 20
"""What the settings say of a small disk."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", SIZE_BYTES) as folder:
        yield folder


@pytest.fixture
def server(disk: Path) -> Iterator[Server]:
    started = Server(disk / "data")
    yield started
    started.stop()
    is_sound(disk / "data")


@pytest.fixture
def admin(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def worker(server: Server) -> Iterator[HandWorker]:
    made = HandWorker(server)
    with made.http:
        yield made


def is_sound(data: Path) -> None:
    """Both databases, as SQLite itself sees them."""
    for name in ("rota.db", "registry.db"):
        found = apsw.Connection(str(data / name), flags=apsw.SQLITE_OPEN_READWRITE)
        assert found.execute("PRAGMA integrity_check").get == "ok"
        found.close()


def submit(admin: httpx2.Client, **spec: object) -> httpx2.Response:
    return admin.post("/api/v1/jobs", json={"command": ["true"], **spec})


def held(admin: httpx2.Client, worker: HandWorker) -> tuple[str, str]:
    job: str = submit(admin).json()["id"]
    [offer] = worker.get_job()
    assert worker.status("working", offer["attempt_id"]).status_code == 200
    return job, offer["attempt_id"]


def metric(admin: httpx2.Client, name: str) -> float:
    lines = [line for line in admin.get("/metrics").text.splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[1])


def upload(worker: HandWorker, attempt: str, content: bytes, offset: int = 0) -> httpx2.Response:
    headers = {"Upload-Offset": str(offset)}
    return worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=content, headers=headers)


def uploaded(attempt: str, log: bytes, exit_code: int = 0) -> Json:
    return finished(attempt, exit_code=exit_code, log=log) | {"log": described(log)}


def test_before_the_disk_is_full_no_job_is_taken_or_given_out_and_what_runs_ends_well(
    disk: Path, server: Server, admin: httpx2.Client, worker: HandWorker
) -> None:
    job, attempt = held(admin, worker)
    waiting = submit(admin).json()["id"]
    fill(disk, LEAST_BYTES * 3 // 4)

    problem = refused(submit(admin), 503, "unavailable")
    answer = worker.post("/gateway/v1/get-job", {"slots": 1, "wait_s": 5})

    assert "ROTA_DISK_FREE_BYTES_MIN" in problem["detail"]
    assert int(submit(admin).headers["retry-after"]) > 0
    assert (answer.status_code, answer.headers["rota-degraded"]) == (204, "job")
    assert "almost full" in refused(admin.get("/readyz"), 503, "unavailable")["detail"]
    assert (metric(admin, "rota_disk_low"), admin.get("/livez").status_code) == (1, 200)
    assert len(admin.get("/api/v1/jobs").json()["jobs"]) == 2
    log = b"l" * 100_000
    assert upload(worker, attempt, log).status_code == 204
    assert received(worker.finish(uploaded(attempt, log, 3))) == [attempt]
    assert ended(admin, job)["result"]["exit_code"] == 3
    assert admin.get(f"/api/v1/jobs/{job}/log").content == log

    empty(disk)

    until(server.is_ready)
    assert [offer["job_id"] for offer in worker.get_job(wait_s=5)] == [waiting]
    assert submit(admin).status_code == 201
    assert metric(admin, "rota_disk_low") == 0


def test_on_a_disk_that_is_full_to_the_last_byte_what_runs_is_renewed_and_its_result_is_taken(
    disk: Path, server: Server, admin: httpx2.Client, worker: HandWorker
) -> None:
    job, attempt = held(admin, worker)
    reserve = until(lambda: [path for path in (disk / "data").iterdir() if path.name == "reserve"])
    fill(disk)

    beat = worker.post("/gateway/v1/heartbeat", {"attempts": [attempt]})
    refused(upload(worker, attempt, b"x" * 100_000), 503, "unavailable")
    taken = received(worker.finish(finished(attempt, b"y" * 50_000, 5)))

    assert (beat.json()["lost"], beat.status_code) == ([], 200)
    assert taken == [attempt]
    assert not reserve[0].exists()
    server.kill()
    server.launch()
    until(lambda: livez(server))
    assert received(worker.finish(finished(attempt, b"y" * 50_000, 5))) == [attempt]
    assert ended(admin, job)["result"]["exit_code"] == 5
    assert admin.get(f"/api/v1/jobs/{job}/log").content == b"y" * 50_000

    empty(disk)

    until(server.is_ready)
    until(reserve[0].exists)
    job, attempt = held(admin, worker)
    assert received(worker.finish(finished(attempt))) == [attempt]


def livez(server: Server) -> bool:
    try:
        return httpx2.get(f"{server.url}/livez").status_code == 200
    except httpx2.HTTPError:
        return False


def test_an_upload_that_the_disk_cuts_goes_on_where_it_was(tmp_path: Path, disk: Path) -> None:
    """Logs and artifacts on a disk of their own."""
    started = Server(tmp_path / "data", ROTA_BLOBS=str(disk / "blobs"), ROTA_DISK_FREE_BYTES_MIN=str(MIB))
    try:
        worker = HandWorker(started)
        with started.client() as admin, worker.http:
            job, attempt = held(admin, worker)
            log = bytes(range(256)) * 16 * 1024  # 4 MiB
            fill(disk, 2 * MIB)

            refused(upload(worker, attempt, log), 503, "unavailable")

            stored = int(worker.http.head(f"/gateway/v1/attempts/{attempt}/log").headers["upload-offset"])
            assert 0 < stored < len(log)
            report = uploaded(attempt, log)
            assert rejected(worker.finish(report).json()) == [(attempt, "conflict")]
            refused(submit(admin), 503, "unavailable")
            empty(disk)
            assert upload(worker, attempt, log[stored:], stored).status_code == 204
            assert received(worker.finish(report)) == [attempt]
            assert ended(admin, job)["state"] == "finished"
            assert admin.get(f"/api/v1/jobs/{job}/log").content == log
    finally:
        started.stop()


def test_nothing_that_a_full_disk_did_not_take_was_acknowledged(disk: Path) -> None:
    """Without the mark the database itself meets the end of the disk, in the WAL and in the main file."""
    started = Server(disk / "data", ROTA_DISK_FREE_BYTES_MIN="0")
    try:
        with started.client() as admin:
            fill(disk, 8 * MIB)
            accepted: list[str] = []
            refusals = 0
            for number in itertools.count():
                answer = submit(admin, name=f"n{number}", env={"LARGE": "x" * 300_000})
                if answer.status_code == 201:
                    accepted.append(answer.json()["id"])
                else:
                    refused(answer, 503, "unavailable")
                    refusals += 1
                if refusals == 20:
                    break
            assert len(accepted) > 5
            started.kill()
            empty(disk)
            started.start()

            found = [job["id"] for job in admin.get("/api/v1/jobs", params={"limit": 1000}).json()["jobs"]]

            assert sorted(found) == sorted(accepted)
            assert submit(admin).status_code == 201
    finally:
        started.stop()
    is_sound(disk / "data")


def test_a_server_starts_on_a_disk_that_was_filled_while_it_was_away(
    disk: Path, server: Server, admin: httpx2.Client, worker: HandWorker
) -> None:
    """And takes the results of what runs on."""
    job, attempt = held(admin, worker)
    server.kill()
    fill(disk)

    server.launch()

    until(lambda: livez(server))
    assert received(worker.finish(finished(attempt, b"z" * 20_000, 6))) == [attempt]
    assert ended(admin, job)["result"]["exit_code"] == 6
    server.kill()
    (disk / "data" / "reserve").unlink(missing_ok=True)
    fill(disk)
    server.launch()
    assert until(lambda: livez(server) or server.process.poll() is not None)
    if server.process.poll() is None:
        assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "finished"
    else:
        assert "Traceback" not in server.log.read_text()
        assert "disk" in server.log.read_text().splitlines()[-1]
    empty(disk)
    if server.process.poll() is not None:
        server.launch()
    until(server.is_ready)
