"""The server goes away while the command line watches a job: the log is whole, the end is the job's."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Shell, variables
from client.fake_server import FakeServer, a_job, answer
from house import Server, Worker
from rota import Client
from waiting import until

CUT = b""
"""An answer that breaks off."""
COUNT = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo number $i; sleep 0.25; done; exit 6"


def test_a_log_that_was_dropped_is_resumed_and_never_looks_like_the_end(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker")
    try:
        with Client(server.url, server.admin_token) as client:
            until(client.workers)
        rota = Shell(variables(tmp_path, ROTA_SERVER=server.url, ROTA_TOKEN=server.admin_token), tmp_path)
        running = rota.start("run", "--", "sh", "-c", COUNT)
        assert running.stdout is not None
        lines = [running.stdout.readline(), running.stdout.readline()]
        server.kill()
        server.start()
        rest, stderr = running.communicate(timeout=60)
    finally:
        worker.stop()
        server.stop()

    assert (b"".join(lines) + rest).decode().splitlines() == [f"number {n}" for n in range(1, 13)]
    assert running.returncode == 6, stderr.decode()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Server, Shell, list[str]]]:
    """A server with a worker, a shell, and a job's command that writes a line and goes on until it is let go."""
    server = Server(tmp_path / "data")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker")
    try:
        with Client(server.url, server.admin_token) as client:
            until(client.workers)
        shell = Shell(variables(tmp_path, ROTA_SERVER=server.url, ROTA_TOKEN=server.admin_token), tmp_path)
        yield (
            server,
            shell,
            ["--", "sh", "-c", f"echo begun; until [ -e {tmp_path}/go-on ]; do sleep 0.05; done; exit 6"],
        )
    finally:
        (tmp_path / "go-on").touch()
        if server.process.poll() is not None:
            server.start()
        worker.stop()
        server.stop()


def watching(kind: str, shell: Shell, job: list[str]) -> subprocess.Popen[bytes]:
    """`rota run` of it, or `rota logs -f`, once it has shown the job's first line."""
    job_id = shell("submit", "-q", *job).stdout.strip() if kind == "logs" else ""
    command = shell.start("run", *job) if kind == "run" else shell.start("logs", "-f", job_id)
    assert command.stdout is not None
    assert command.stdout.readline() == b"begun\n"
    return command


@pytest.mark.parametrize(("kind", "code"), [("run", 6), ("logs", 0)])
def test_a_server_that_goes_away_is_said_to_be_away_once_and_then_to_be_back(
    kind: str, code: int, watched: tuple[Server, Shell, list[str]], tmp_path: Path
) -> None:
    server, shell, job = watched
    command = watching(kind, shell, job)
    assert command.stderr is not None
    server.kill()
    away = command.stderr.readline().decode()
    server.start()
    back = command.stderr.readline().decode()
    (tmp_path / "go-on").touch()
    _, rest = command.communicate(timeout=30)

    assert f"{server.url} is away" in away
    assert "asking it again for up to 10 min" in away
    assert back == f"  {server.url} is back\n"
    assert "away" not in rest.decode()
    assert command.returncode == code


@pytest.mark.parametrize("kind", ["run", "logs"])
def test_a_server_that_stays_away_ends_the_watching_with_125_and_what_to_do(
    kind: str, watched: tuple[Server, Shell, list[str]]
) -> None:
    server, shell, job = watched
    shell.environ["ROTA_OUTAGE_TIMEOUT"] = "1s"
    command = watching(kind, shell, job)
    server.kill()
    _, stderr = command.communicate(timeout=20)

    said = stderr.decode()
    assert command.returncode == 125
    assert said.count("is away") == 1
    assert "was away for 1.0 s" in said
    assert "rota logs -f 0" in said
    assert "--outage-timeout" in said


async def test_waiting_says_that_the_server_is_away_and_back(tmp_path: Path) -> None:
    running, ended = (answer(200, a_job(state=state)) for state in ("running", "cancelled"))
    async with FakeServer(running, CUT, CUT, ended) as server:
        code, said = await waited(server.url, tmp_path)

    assert code == 121
    assert said.count("is away") == 1
    assert said.count("is back") == 1


async def test_waiting_ends_with_125_where_the_server_stays_away(tmp_path: Path) -> None:
    async with FakeServer(answer(200, a_job(state="running")), CUT) as server:
        code, said = await waited(server.url, tmp_path, ROTA_OUTAGE_TIMEOUT="1s")

    assert code == 125
    assert said.count("is away") == 1
    assert "rota wait j1" in said


async def waited(url: str, home: Path, **more: str) -> tuple[int | None, str]:
    """`rota wait j1`: its exit code, and what it said on stderr."""
    environ = variables(home, ROTA_SERVER=url, ROTA_TOKEN="t", **more)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rota", "wait", "j1", stderr=asyncio.subprocess.PIPE, env=environ
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()
