"""What a newer peer says and nobody here knows is said to be unknown, and never guessed. Source: guarantees.md, G14."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from house import HandWorker, Server, finished
from participants.place import refused
from rota.client.client import AsyncClient
from rota.client.transport import NotUnderstood
from rota.protocol.job import JobList
from rota.protocol.wire import read_answer, unknown_word
from worker.fake_server import FakeServer, problem
from worker.rig import WorkerProcess, eventually

SPEC = {"command": ["true"]}
JOB = {"id": "j", "state": "queued", "verdict": None, "spec": SPEC, "submitted_at": "2026-11-23T12:00:00.000000Z",
       "submitted_by": "c", "result": None}  # fmt: skip


def test_an_unknown_word_is_told_from_what_is_no_answer() -> None:
    def told(body: bytes) -> str | None:
        with pytest.raises(msgspec.DecodeError) as raised:
            read_answer(body, JobList)
        return unknown_word(raised.value)

    assert told(b'{"jobs": [{"id": "j", "state": "paused"}]}') == "`paused` as jobs[0].state"
    assert told(b'{"jobs": [{"id": "j", "state": "it\'s"}]}') == "`it's` as jobs[0].state"
    assert told(b'{"jobs": [{"id": "j", "state": 5}]}') is None
    assert told(b'{"jobs": 5}') is None
    assert told(b"<html>") is None


@pytest.mark.parametrize(
    "change", [{"state": "paused"}, {"verdict": "skipped"}, {"result": {"exit_code": 0, "signal": None, "reason": "x"}}]
)
async def test_a_program_is_told_which_word_of_a_newer_server_it_does_not_know(change: dict[str, Any]) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(JOB | change)

    app = web.Application()
    app.router.add_get("/api/v1/jobs/j", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with AsyncClient(f"http://127.0.0.1:{runner.addresses[0][1]}", "t") as client:
            with pytest.raises(NotUnderstood) as raised:
                await client.job("j")
    finally:
        await runner.cleanup()
    assert "the server is newer" in str(raised.value)
    assert next(iter(change)) in str(raised.value)


@pytest.fixture
def worker(tmp_path: Path) -> Any:  # noqa: ANN401  (a fixture that yields)
    made = WorkerProcess(FakeServer(), tmp_path / "w")
    yield made
    made.end()


async def test_a_worker_with_a_credential_that_it_does_not_know_says_so_and_uses_up_no_other_token(
    worker: WorkerProcess,
) -> None:
    server = worker.server
    await server.start()
    worker.options["server_url"] = server.url

    async def tomorrow(_request: Any, _body: Any) -> web.Response:  # noqa: ANN401
        credential = {"method": "mtls", "certificate": "…"}
        told = {"worker_id": "w", "environment": "e", "credential": credential, "gateway_url": server.url}
        return web.json_response({**told, "registry_url": server.url, "heartbeat_s": 1}, status=201)

    server.override["enrol"] = tomorrow
    try:
        assert await worker.start().ended() == 4
        assert len(server.named("enrol")) == 1
        assert "`mtls` as credential.method" in worker.said
        assert "upgrade" in worker.said
        assert "Traceback" not in worker.said
    finally:
        await server.stop()


async def test_a_worker_outside_the_range_is_told_so_and_enrols_when_it_is_spoken_to(worker: WorkerProcess) -> None:
    server = worker.server
    await server.start()
    worker.options["server_url"] = server.url
    spoken = asyncio.Event()

    async def older(_request: Any, _body: Any) -> web.Response | None:  # noqa: ANN401
        return None if spoken.is_set() else problem(426, "upgrade-required", oldest=2, newest=3)

    server.override["enrol"] = older
    try:
        worker.start()
        await eventually(lambda: "426 upgrade-required" in worker.said)
        spoken.set()
        assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0
    finally:
        await server.stop()


@pytest.fixture
def real(tmp_path: Path) -> Any:  # noqa: ANN401  (as above)
    started = Server(tmp_path / "data")
    yield started
    started.stop()


def test_a_newer_workers_words_are_refused_by_name_and_change_nothing(real: Server) -> None:
    worker = HandWorker(real)
    with real.client() as admin, worker.http:
        job = admin.post("/api/v1/jobs", json=SPEC).json()["id"]
        [offer] = worker.get_job()
        attempt = offer["attempt_id"]
        report = finished(attempt)

        resting = refused(worker.status("resting", attempt), 422, "invalid-request", "status")
        frozen = worker.finish(report | {"result": report["result"] | {"reason": "frozen"}})
        told = refused(frozen, 422, "invalid-request", "attempts[0].result.reason")
        more = worker.finish(report | {"of_tomorrow": 1})

        assert ("resting" in resting["detail"], "frozen" in told["detail"]) == (True, True)
        refused(more, 422, "invalid-request", "attempts[0].of_tomorrow")
        shown = admin.get(f"/api/v1/jobs/{job}").json()
        assert (shown["state"], shown["result"]) == ("assigned", None)
        assert worker.finish(report).json()["received"] == [attempt]
