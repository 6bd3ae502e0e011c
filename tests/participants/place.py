"""What the tests of the participants share: a place of their own, and how a refusal looks."""

import itertools
import os
import re
from typing import Self

import httpx2

from house import HandWorker, Json, Server, ended, finished

TYPE = "https://rota.dev/problems/"
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

_number = itertools.count(1)


class Place:
    """An environment, its administrator's client and its workers."""

    def __init__(self, server: Server, admin: httpx2.Client, **wanted: object) -> None:
        self.server, self.admin = server, admin
        self.name = f"place-{os.getpid()}-{next(_number)}"
        self._open: list[httpx2.Client] = []
        made = admin.post("/api/v1/environments", json={"name": self.name, "worker_auth": "jwt", **wanted})
        assert made.status_code == 201, made.text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._open:
            client.close()

    def worker(
        self, name: str = "hand", incarnation: str = "one", labels: dict[str, str] | None = None, **facts: object
    ) -> HandWorker:
        """Another worker here."""
        made = HandWorker(self.server, self.name, incarnation, None, None, name=name, labels=labels or {}, **facts)
        self._open.append(made.http)
        return made

    def client(self, kind: str, **wanted: object) -> httpx2.Client:
        """A client with a token of that kind."""
        made = self.server.client(self.server.token(kind, self.name, **wanted))
        self._open.append(made)
        return made

    def submit(self, **spec: object) -> str:
        """A job's id."""
        given = {"command": ["true"], "environment": self.name, **spec}
        answer = self.admin.post("/api/v1/jobs", json=given)
        assert answer.status_code == 201, answer.text
        job: str = answer.json()["id"]
        return job

    def job(self, job: str) -> Json:
        """As it is shown now."""
        found: Json = self.admin.get(f"/api/v1/jobs/{job}").json()
        return found

    def state(self, job: str) -> str:
        """Its state now."""
        state: str = self.job(job)["state"]
        return state

    def held(self, worker: HandWorker, **spec: object) -> tuple[str, str]:
        """A job that the worker has been given: the ids of job and attempt."""
        job = self.submit(**spec)
        [offer] = worker.get_job()
        assert offer["job_id"] == job
        return job, offer["attempt_id"]

    def running(self, worker: HandWorker, **spec: object) -> tuple[str, str]:
        """The same, with the worker's first heartbeat."""
        job, attempt = self.held(worker, **spec)
        beat(worker, attempt)
        return job, attempt

    def ended(self, worker: HandWorker, *, exit_code: int = 0, log: bytes = b"", **report: object) -> tuple[str, str]:
        """The same, finished and decided."""
        job, attempt = self.held(worker)
        assert received(worker.finish(finished(attempt, log, exit_code, **report))) == [attempt]
        assert ended(self.admin, job)["verdict"] is not None
        return job, attempt


def beat(worker: HandWorker, *attempts: str) -> Json:
    """Heartbeat's answer."""
    answer = worker.post("/gateway/v1/heartbeat", {"attempts": list(attempts)})
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def refuse(worker: HandWorker, *attempts: str, reason: str = "no room") -> Json:
    """Refuse job's answer."""
    refusals = [{"attempt_id": attempt, "reason": reason} for attempt in attempts]
    answer = worker.post("/gateway/v1/refuse-job", {"attempts": refusals})
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def received(answer: httpx2.Response) -> list[str]:
    """What jobFinishedReceived names; nothing is rejected."""
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["rejected"] == []
    attempts: list[str] = told["received"]
    return attempts


def rejected(told: Json) -> list[tuple[str, str]]:
    """Attempt and slug of what a batch's answer does not cover."""
    for one in told["rejected"]:
        assert {"type", "title", "status", "detail"} <= one["problem"].keys()
    return [(one["attempt_id"], one["problem"]["type"].removeprefix(TYPE)) for one in told["rejected"]]


def refused(answer: httpx2.Response, status: int, slug: str, *fields: str) -> Json:
    """The problem document, which is of that kind and names these fields."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: Json = answer.json()
    assert (answer.status_code, body["type"]) == (status, TYPE + slug), answer.text
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    if fields:
        assert tuple(error["field"] for error in body["errors"]) == fields
        assert all(error["message"] for error in body["errors"])
    return body
