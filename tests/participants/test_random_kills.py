"""SIGKILL at any moment, again and again: what was answered for is there, and the database is sound.

20 rounds in every run; `make test ARGS="-k random_kills --kills 1000 --timeout 7200"` is the long one.
Source: guarantees.md, G1, G5, G7, F52.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx2
import pytest

from house import HandWorker, Server, ended
from participants.place import received
from participants.test_backup import finish

CALLERS = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is killed all the time."""
    started = Server(tmp_path / "data")
    yield started
    started.stop()


class Caller:
    """Submits a job, takes a job, uploads its log, finishes it, and notes what was answered."""

    def __init__(self, server: Server, number: int) -> None:
        environment = f"e{number}"
        with server.client() as admin:
            admin.post("/api/v1/environments", json={"name": environment, "worker_auth": "jwt", "lease_s": 3600})
        self.worker = HandWorker(server, environment)
        self.worker.status("ready_for_work")
        self.admin = server.client()
        self.key = 0
        self.spec = {"command": ["true"], "environment": environment}
        self.jobs: dict[int, str] = {}
        self.finished: set[str] = set()

    def submit(self) -> str:
        """The job of the present key."""
        headers = {"Idempotency-Key": f"{self.spec['environment']} {self.key}"}
        answer = self.admin.post("/api/v1/jobs", json=self.spec, headers=headers)
        assert answer.status_code == 201, answer.text
        job: str = answer.json()["id"]
        assert self.jobs.setdefault(self.key, job) == job
        return job

    def work(self, stop: Event) -> None:
        """Until the server is gone; what was asked last is asked again, first, in the next round."""
        try:
            self.worker.status("ready_for_work")
            while not stop.is_set():
                self.submit()
                self.key += 1
                for offer in self.worker.get_job(wait_s=0):
                    attempt = offer["attempt_id"]
                    received(self.worker.finish(finish(self.worker, attempt, log_of(attempt))))
                    self.finished.add(offer["job_id"])
        except httpx2.TransportError:
            return


def test_what_was_answered_for_outlives_a_kill_at_any_moment(server: Server, request: pytest.FixtureRequest) -> None:
    """Source: guarantees.md, F25."""
    seed = random.randrange(2**32)  # noqa: S311  (chance, no secret)
    chance = random.Random(seed)  # noqa: S311  (as above)
    callers = [Caller(server, number) for number in range(CALLERS)]
    for _ in range(request.config.getoption("--kills")):
        stop = Event()
        with ThreadPoolExecutor(CALLERS) as pool:
            working = [pool.submit(caller.work, stop) for caller in callers]
            stop.wait(chance.random() * 0.3)
            server.kill()
            for one in working:
                one.result()
        server.start()
        for caller in callers:
            caller.submit()
            caller.key += 1
        told = callers[0].admin.get("/api/v1/doctor").json()
        assert [one for one in told["findings"] if one["level"] == "fault"] == [], f"seed {seed}"

    for caller in callers:
        admin = caller.admin
        there = [job["id"] for job in listed(admin, str(caller.spec["environment"]))]
        assert sorted(there) == sorted(caller.jobs.values()), f"seed {seed}"  # each key one job, and no other
        for job in there:
            shown = ended(admin, job) if job in caller.finished else admin.get(f"/api/v1/jobs/{job}").json()
            assert (shown["state"] == "finished") is (shown["result"] is not None), f"seed {seed}"
            if shown["result"] is not None:
                attempt = shown["attempts"][-1]["attempt_id"]
                assert admin.get(f"/api/v1/jobs/{job}/log").content == log_of(attempt), f"seed {seed}"
        admin.close()
        caller.worker.http.close()


def log_of(attempt: str) -> bytes:
    """What is uploaded of it: too large for a row."""
    return attempt.encode() * 3000


def listed(admin: httpx2.Client, environment: str) -> Iterator[dict[str, str]]:
    """All jobs of an environment."""
    cursor: dict[str, str] = {}
    while True:
        page = admin.get("/api/v1/jobs", params={"environment": environment, "limit": 1000, **cursor}).json()
        yield from page["jobs"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}
