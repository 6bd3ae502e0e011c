"""A real server and a real worker, as processes on loopback, for a measurement; and what all measurements share."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import house
from waiting import until

__all__ = ["ENROLMENT", "TRUE", "Scene", "house", "run_jobs", "run_one", "scene", "starting_server", "submit", "until"]
"""`house` is tests/house.py: real processes, ended by their ids."""

TRUE = "/bin/true"
DONE_WITHIN_S = 300
NONE: Mapping[str, str] = MappingProxyType({})
ENROLMENT = "enrolment"


class Scene(NamedTuple):
    """What a measurement is made on; `worker` is the first of its workers."""

    server: house.Server
    worker: house.Worker
    client: httpx2.Client


@contextmanager
def starting_server(data: Path | None = None, variables: Mapping[str, str] = NONE) -> Iterator[house.Server]:
    """One server with data of its own where none is given, ended by its process id."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-") as name:
        server = house.Server(data or Path(name) / "data", (), None, **variables)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def scene(slots: int, workers: int = 1, options: Mapping[str, str] = NONE) -> Iterator[Scene]:
    """A server, and workers with `slots` each that have run a few jobs; all ended by process id.

    `options` are variables of the server and the workers.
    """
    with starting_server(variables=options) as server:
        started: list[house.Worker] = []
        try:
            for number in range(workers):
                folder = server.data.parent / f"work-{number}"
                started.append(house.Worker(server.url, server.token(ENROLMENT), folder, slots, **options))
            with server.client() as client:
                until(lambda: len(client.get("/api/v1/workers").json()["workers"]) == workers, why="the workers came")
                run_jobs(client, 2 * slots * workers)
                yield Scene(server, started[0], client)
        finally:
            for worker in started:
                worker.stop()


def submit(client: httpx2.Client, count: int, command: tuple[str, ...] = (TRUE,)) -> list[str]:
    """The ids of `count` jobs, submitted in one request."""
    answer = client.post("/api/v1/jobs", json={"jobs": [{"command": command}] * count})
    assert answer.status_code == 201, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def run_one(client: httpx2.Client, **spec: object) -> house.Json:
    """One job, waited for as the SDK does: one question, held until its end. Raises where it fails."""
    job = client.post("/api/v1/jobs", json=spec).json()["id"]
    found = house.ended(client, job, DONE_WITHIN_S)
    assert found["state"] == "finished", found
    assert found["result"]["exit_code"] == 0, found
    return found


def run_jobs(client: httpx2.Client, count: int, command: tuple[str, ...] = (TRUE,)) -> float:
    """Seconds from before the submission until the last result is recorded. No load by asking: one held question."""
    began = time.monotonic()
    last = submit(client, count, command)[-1]
    while client.get(f"/api/v1/jobs/{last}", params={"wait_s": 30}).json()["state"] != "finished":
        assert time.monotonic() - began < DONE_WITHIN_S, "the jobs do not end"
    while any(client.get("/api/v1/jobs", params={"state": one, "limit": 1}).json()["jobs"] for one in _OPEN):
        time.sleep(0.002)
    return time.monotonic() - began


_OPEN = ("queued", "assigned", "running")
