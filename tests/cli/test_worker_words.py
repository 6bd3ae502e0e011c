"""What workers and servers say at their start, without each other, and at their end."""

import json
from pathlib import Path

import pytest

from cli.conftest import Shell, variables
from house import Server, Worker, free_port, servers
from rota import Client
from rota.protocol.problems import Unavailable
from rota.worker.agent import QUIET_S, Trouble
from rota.world import SystemWorld
from waiting import until


class StoppedWorld(SystemWorld):
    """Its clock is set by the test."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


def test_the_same_trouble_is_told_once_until_it_changes_or_was_over(capsys: pytest.CaptureFixture[str]) -> None:
    world = StoppedWorld()
    trouble = Trouble(world, "status")
    for _ in range(100):
        world.at += 30
        trouble(Unavailable("no connection: Connection refused"))
    trouble(Unavailable("no answer within 5 s"))
    world.at += QUIET_S + 1
    trouble(Unavailable("no answer within 5 s"))

    assert capsys.readouterr().err.splitlines() == [
        "status not received: no connection: Connection refused",
        "status not received: no answer within 5 s",
        "status not received: no answer within 5 s",
    ]


def test_a_worker_without_a_server_says_so_in_plain_words(tmp_path: Path) -> None:
    worker = Worker(f"http://127.0.0.1:{free_port()}", "rota_token", tmp_path / "worker")
    try:
        said = until(worker.log.read_text, why="the worker says something")
    finally:
        worker.stop()

    assert "no connection: Connection refused" in said
    assert "ssl" not in said


def test_a_server_that_is_told_to_stop_warns_of_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "worker")
    try:
        with Client(server.url, server.admin_token) as client:
            until(client.workers, why="the worker is listed")
    finally:
        server.stop()
        worker.stop()

    assert "WARNING" not in server.log.read_text()


def test_a_worker_that_is_started_with_another_name_and_number_of_slots_says_what_is_true(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    work_dir = tmp_path / "worker"
    try:
        first = Worker(server.url, server.token("enrolment"), work_dir, 1, "--name", "first")
        with Client(server.url, server.admin_token) as client:
            until(client.workers, why="the worker is listed")
        first.stop()
        second = Worker(server.url, None, work_dir, 3, "--name", "second")
        until(lambda: "3 slots" in second.log.read_text(), why="it works")
        said = second.log.read_text()
        second.stop()
    finally:
        server.stop()

    assert "the name is first, with which this worker enrolled, and not second" in said
    assert "it takes 3 jobs at once; `rota workers` shows the 1 of its enrolment" in said
    assert "worker first enrolled in default" in said


def test_a_worker_that_is_started_with_other_resources_says_that_it_offers_the_old_ones(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    work_dir = tmp_path / "worker"
    kept = work_dir / "credential.json"
    said: list[str] = []

    def told(token: str | None, gpus: int) -> None:
        """What it has said when it waits for work."""
        worker = Worker(server.url, token, work_dir, 1, "--resource", f"gpus={gpus}")
        before = sum(map(len, said))
        until(lambda: "1 slots" in worker.log.read_text()[before:], why="it works")
        worker.stop()
        said.append(worker.log.read_text()[before:])

    try:
        told(server.token("enrolment"), 2)
        told(None, 2)
        told(None, 3)
        with Client(server.url, server.admin_token) as client:
            [worker] = client.workers()
        known = json.loads(kept.read_text())
        kept.write_text(json.dumps({field: value for field, value in known.items() if field != "resources"}))
        told(None, 2)
    finally:
        server.stop()

    assert worker.resources["gpus"] == 2
    assert "resources" not in said[0] + said[1]
    assert "the resources are those that this worker enrolled with, and not those of now" in said[2]
    assert "it enrolled before resources were counted" in said[3]


def test_a_token_for_workers_names_no_address_where_the_registry_is_apart(tmp_path: Path) -> None:
    with servers() as started:
        elsewhere = f"http://127.0.0.1:{free_port()}"
        apart = Server(tmp_path / "apart", only=["jobs", "scheduler"], ROTA_REGISTRY_URL=elsewhere)
        started.append(apart)
        whole = Server(tmp_path / "whole")
        started.append(whole)
        said = [
            Shell(variables(tmp_path, ROTA_SERVER=one.url, ROTA_TOKEN=one.admin_token), tmp_path)("env", "token").stderr
            for one in started
        ]

    assert "--server REGISTRY" in said[0]
    assert f"not at {apart.url}" in said[0]
    assert f"--server {whole.url}\n" in said[1]
