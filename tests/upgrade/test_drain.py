"""SIGTERM answers all that is held, leases nothing to nobody, and takes no time. Source: guarantees.md, F50, P15."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx2
import pytest

from house import HandWorker, Json, Server, ended, finished
from participants.place import received
from waiting import until

WORKERS = 50
Hire = Callable[..., list[HandWorker]]
WITHIN_S = 3.0
"""A second or two, and some for a machine that is busy."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data", ROTA_METRICS_OPEN="yes")
    yield started
    started.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WORKERS + 10) as made:
        yield made


@pytest.fixture
def hire() -> Iterator[Hire]:
    """As many workers as are wanted; their connections are closed with the test."""
    with ExitStack() as stack:

        def workers(server: Server, count: int, gateway: Server | None = None) -> list[HandWorker]:
            made = [HandWorker(server, incarnation=f"i{number}", gateway=gateway) for number in range(count)]
            for worker in made:
                stack.enter_context(worker.http)
            return made

        yield workers


def asked(worker: HandWorker) -> httpx2.Response:
    return worker.post("/gateway/v1/get-job", {"slots": 1, "wait_s": 40})


def held(server: Server) -> float:
    text = httpx2.get(f"{server.url}/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith("rota_get_job_held ")]
    return float(line.split()[1])


def everybody_is_held(server: Server, answers: "list[Future[httpx2.Response]]") -> bool:
    """But those who were given what the round before left."""
    return held(server) + sum(answer.done() for answer in answers) == WORKERS


def stopped_within(server: Server, within_s: float) -> None:
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < within_s
    assert "Traceback" not in server.log.read_text()


def test_fifty_held_questions_are_answered_at_once_and_the_process_ends(
    server: Server, pool: ThreadPoolExecutor, hire: Hire
) -> None:
    workers = hire(server, WORKERS)
    with server.client() as admin, server.client() as follower:
        job, attempt = given(admin, workers[0])
        answers = [pool.submit(asked, worker) for worker in workers]
        waiting = pool.submit(admin.get, f"/api/v1/jobs/{job}", params={"wait_s": 60})
        following = pool.submit(
            follower.get, f"/api/v1/jobs/{job}/log", headers={"Accept": "text/event-stream"}, timeout=70
        )
        until(lambda: held(server) == WORKERS)

        stopped_within(server, WITHIN_S)

        assert [answer.result(5).status_code for answer in answers] == [204] * WORKERS
        assert waiting.result(5).json()["state"] == "assigned"
        assert "event: end" not in following.result(5).text  # so that the follower asks again
        server.start()
        assert received(workers[0].finish(finished(attempt))) == [attempt]
        assert ended(admin, job)["state"] == "finished"


def test_no_job_is_leased_to_nobody_while_the_server_stops(
    server: Server, pool: ThreadPoolExecutor, hire: Hire
) -> None:
    """Jobs come in at the very moment: each is either with a worker that knows of it, or still queued."""
    workers = hire(server, WORKERS)
    given_out: list[str] = []
    with server.client() as admin:
        for _ in range(3):
            answers = [pool.submit(asked, worker) for worker in workers]
            until(partial(everybody_is_held, server, answers))
            specs = [{"command": ["true"]}] * (WORKERS // 2)
            submitting = pool.submit(admin.post, "/api/v1/jobs", json={"jobs": specs})
            stopping = threading.Thread(target=stopped_within, args=(server, WITHIN_S))
            stopping.start()
            given_out += [job for answer in answers for job in offered(answer)]
            stopping.join()
            submitting.exception(5)  # answered, or cut off: either will do
            server.start()
            listed = admin.get("/api/v1/jobs", params={"state": "assigned", "limit": 1000}).json()["jobs"]
            assert sorted(job["id"] for job in listed) == sorted(given_out)


def test_a_gateway_apart_answers_what_it_holds(tmp_path: Path, pool: ThreadPoolExecutor, hire: Hire) -> None:
    data = tmp_path / "data"
    jobs = Server(data, ("jobs", "registry", "scheduler"))
    gateway = Server(data, ("gateway",), ROTA_JOBS_URL=jobs.url, ROTA_METRICS_OPEN="yes")
    try:
        workers = hire(jobs, 10, gateway)
        answers = [pool.submit(asked, worker) for worker in workers]
        until(lambda: held(gateway) == len(workers))

        stopped_within(gateway, WITHIN_S)

        assert [answer.result(5).status_code for answer in answers] == [204] * len(workers)
        stopped_within(jobs, WITHIN_S)
    finally:
        gateway.stop()
        jobs.stop()


def given(admin: httpx2.Client, worker: HandWorker) -> tuple[str, str]:
    job: str = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
    [offer] = worker.get_job()
    return job, offer["attempt_id"]


def offered(answer: "Future[httpx2.Response]") -> list[str]:
    """The jobs that a worker was given."""
    response = answer.result(10)
    assert response.status_code in {200, 204}
    offers: list[Json] = response.json()["jobs"] if response.status_code == 200 else []
    return [offer["job_id"] for offer in offers]
