"""A server with a newer schema takes over under workers that run. Source: guarantees.md, G14, F50."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import rota
from house import Server, Worker, ended, environment_of_tests
from waiting import until

NEXT = "9999_of_tomorrow.sql"
GOOD = (
    "ALTER TABLE job ADD COLUMN of_tomorrow TEXT; UPDATE job SET of_tomorrow = 'seen'; CREATE TABLE next (n INTEGER);"
)
BAD = "ALTER TABLE job ADD COLUMN of_tomorrow TEXT; INSERT INTO nowhere VALUES (1);"
LONG = """CREATE TABLE long AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000000)
SELECT n, hex(n) AS text FROM c;"""


def tomorrow(folder: Path, step: str) -> str:
    """Where Rota lies with one more step of its schema: for PYTHONPATH."""
    shutil.copytree(Path(rota.__file__).parent, folder / "rota", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "rota" / "storage" / "sqlite" / "migrations" / "jobs" / NEXT).write_text(step)
    return str(folder)


def asked(data: Path, sql: str) -> object:
    with closing(apsw.Connection(str(data / "rota.db"), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        return connection.execute(sql).get


def schema(data: Path) -> tuple[object, object]:
    """Number and text, of a database that nobody has open."""
    texts = asked(data, "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY name)")
    return asked(data, "PRAGMA user_version"), texts


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    yield started
    started.stop()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def worker(server: Server, tmp_path: Path) -> Iterator[Worker]:
    started = Worker(server.url, server.token("enrolment"), tmp_path / "worker")
    yield started
    started.stop()


def running(server: Server, gate: Path) -> str:
    """A job that runs until the gate is opened."""
    script = f"echo before; while ! [ -e {gate} ]; do sleep 0.05; done; echo after; exit 7"
    with server.client() as admin:
        job: str = admin.post("/api/v1/jobs", json={"script": script}).json()["id"]
        until(lambda: admin.get(f"/api/v1/jobs/{job}").json()["state"] == "running", 20)
    return job


def ends_well(server: Server, job: str) -> None:
    with server.client() as admin:
        found = ended(admin, job)
        assert (found["state"], found["result"]["exit_code"], len(found["attempts"])) == ("finished", 7, 1)
        assert admin.get(f"/api/v1/jobs/{job}/log").content == b"before\nafter\n"
        assert admin.post("/api/v1/jobs", json={"command": ["true"]}).status_code == 201


@pytest.mark.parametrize("ends", ["while-the-server-is-away", "afterwards"])
def test_a_job_that_runs_through_a_migration_is_finished_by_its_worker(
    server: Server, worker: Worker, gate: Path, tmp_path: Path, ends: str
) -> None:
    job = running(server, gate)
    assert server.stop() == 0
    before, _ = schema(server.data)
    if ends == "while-the-server-is-away":
        gate.touch()
        spool = worker.work_dir / "spool"
        until(lambda: list(spool.glob("*.json")))

    server.variables["PYTHONPATH"] = tomorrow(tmp_path / "tomorrow", GOOD)
    server.start()
    gate.touch()

    ends_well(server, job)
    server.stop()
    assert asked(server.data, "PRAGMA user_version") == int(str(before)) + 1
    assert asked(server.data, "SELECT of_tomorrow FROM job ORDER BY id LIMIT 1") == "seen"
    assert worker.process.poll() is None


def test_a_step_that_fails_changes_nothing_and_the_server_of_before_goes_on(
    server: Server, worker: Worker, gate: Path, tmp_path: Path
) -> None:
    job = running(server, gate)
    assert server.stop() == 0
    before = schema(server.data)

    told = started(server, tomorrow(tmp_path / "tomorrow", BAD)).communicate(timeout=30)[1]

    assert NEXT in told
    assert "nowhere" in told
    assert "Traceback" not in told
    assert schema(server.data) == before
    server.start()
    gate.touch()
    ends_well(server, job)


def test_a_migration_that_is_killed_changes_nothing(server: Server, worker: Worker, gate: Path, tmp_path: Path) -> None:
    job = running(server, gate)
    assert server.stop() == 0
    before = schema(server.data)
    wal = server.data / "rota.db-wal"

    migrating = started(server, tomorrow(tmp_path / "tomorrow", LONG))
    until(lambda: wal.exists() and wal.stat().st_size > 10_000_000, 60)
    migrating.kill()
    migrating.communicate()

    assert schema(server.data) == before
    assert asked(server.data, "PRAGMA integrity_check") == "ok"
    server.start()
    gate.touch()
    ends_well(server, job)


def started(server: Server, code: str) -> subprocess.Popen[str]:
    """The server of tomorrow on the same folder."""
    command = [sys.executable, "-m", "rota", "server", "--data", str(server.data)]
    command += ["--listen", f"127.0.0.1:{server.port}"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment_of_tests(PYTHONPATH=code))
