"""A real server and a real worker, as processes on loopback, for a measurement; and what all measurements share."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import house

TRUE = "/bin/true"
DONE_WITHIN_S = 300


class Scene(NamedTuple):
    """What a measurement is made on."""

    server: house.Server
    worker: house.Worker
    client: httpx2.Client


@contextmanager
def starting_server() -> Iterator[house.Server]:
    """One server with data of its own, ended by its process id."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-") as name:
        server = house.Server(Path(name) / "data")
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def scene(slots: int) -> Iterator[Scene]:
    """A server, and one worker with `slots` that has run a few jobs; both ended by process id."""
    with starting_server() as server:
        worker = house.Worker(server.url, server.token("enrolment"), server.data.parent / "work", slots)
        try:
            with server.client() as client:
                run_jobs(client, 2 * slots)
                yield Scene(server, worker, client)
        finally:
            worker.stop()


def submit(client: httpx2.Client, count: int) -> list[str]:
    """The ids of `count` jobs that run /bin/true, submitted in one request."""
    answer = client.post("/api/v1/jobs", json={"jobs": [{"command": [TRUE]}] * count})
    assert answer.status_code == 201, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def run_jobs(client: httpx2.Client, count: int) -> float:
    """Seconds from before the submission until the last result is recorded. No load by asking: one held question."""
    began = time.monotonic()
    last = submit(client, count)[-1]
    while client.get(f"/api/v1/jobs/{last}", params={"wait_s": 30}).json()["state"] != "finished":
        assert time.monotonic() - began < DONE_WITHIN_S, "the jobs do not end"
    while any(client.get("/api/v1/jobs", params={"state": one, "limit": 1}).json()["jobs"] for one in _OPEN):
        time.sleep(0.002)
    return time.monotonic() - began


_OPEN = ("queued", "assigned", "running")


def xargs_rate(count: int, at_once: int = 2) -> float:
    """Processes a second that `xargs -P` starts and ends on this machine now."""
    began = time.monotonic()
    subprocess.run(["xargs", f"-P{at_once}", "-n1", TRUE], input=b"x\n" * count, check=True)
    return count / (time.monotonic() - began)


def options(**defaults: int) -> argparse.Namespace:
    """The numbers of a measurement, as given on the command line."""
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median, and the least and the greatest."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}}, n={len(values)})"
