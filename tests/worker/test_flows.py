"""The six flows of flows.md as a worker's messages, in their order, and nothing else. Source: flows.md."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess


@pytest.fixture
def one_slot(server: FakeServer, make_worker: MakeWorker) -> WorkerProcess:
    """A worker that does one thing after the other, and has no heartbeat between."""
    server.heartbeat_s, server.lease_s = 60, 180
    return make_worker(slots=1, first_heartbeat_s=60).start()


START = ["enrol", "status: ready_for_work", "get-job"]


async def test_full_execution_with_job(server: FakeServer, one_slot: WorkerProcess) -> None:
    attempt = server.offer("sh", "-c", "echo out; echo err >&2; exit 0")

    await server.until(lambda: len(server.named("get-job")) == 2)

    assert server.order() == [*START, "status: working", "job-finished", "status: ready_for_work", "get-job"]
    assert server.named("status")[1].body == {"status": "working", "attempts": [attempt], "free_slots": 0}
    assert server.named("status")[2].body == {"status": "ready_for_work", "attempts": [], "free_slots": 1}
    result = server.finished[attempt]["result"]
    assert (result["exit_code"], result["signal"], result["reason"]) == (0, None, "exited")
    assert server.log_of(attempt) == b"out\nerr\n"


async def test_every_call_names_protocol_incarnation_and_credential(server: FakeServer, worker: WorkerProcess) -> None:
    await server.report(server.offer("true"))

    assert {call.headers["Rota-Protocol"] for call in server.calls} == {"1"}
    assert len({call.headers["Rota-Incarnation"] for call in server.calls}) == 1
    assert {call.headers["Authorization"] for call in server.calls[1:]} == {"Bearer t1"}


async def test_full_execution_no_job(server: FakeServer, one_slot: WorkerProcess) -> None:
    await server.until(lambda: len(server.named("get-job")) == 3)

    assert server.order("heartbeat")[:4] == [*START, "status: ready_for_work"] or server.order()[:4] == [
        *START,
        "get-job",
    ]
    questions = {call.body["request_id"] for call in server.named("get-job")}
    assert len(questions) == 3


async def test_job_has_an_error(server: FakeServer, worker: WorkerProcess) -> None:
    """The gateway says noJob with Retry-After: the worker asks again, but not at once."""
    asked: list[float] = []

    async def degraded(_request: web.Request, _body: Any) -> web.Response | None:  # noqa: ANN401
        asked.append(asyncio.get_running_loop().time())
        return (
            web.Response(status=204, headers={"Retry-After": "1", "Rota-Degraded": "job"}) if len(asked) < 3 else None
        )

    server.override["get-job"] = degraded
    await server.until(lambda: len(asked) == 3)

    assert asked[2] - asked[1] > 0.4
    await server.report(server.offer("true"))


async def test_worker_gateway_has_an_error(server: FakeServer, worker: WorkerProcess) -> None:
    """The worker survives, asks the same question again, and recovers by itself."""
    failing = True

    async def broken(_request: web.Request, _body: Any) -> web.Response | None:  # noqa: ANN401
        return problem(500, "internal") if failing else None

    server.override["get-job"] = broken
    await server.until(lambda: len(server.named("get-job")) == 4)
    failing = False
    await server.report(server.offer("true"))

    first = server.named("get-job")[0].body["request_id"]
    assert [call.body["request_id"] for call in server.named("get-job")[:4]] == [first] * 4


async def test_a_gateway_that_is_gone_is_found_again(server: FakeServer, worker: WorkerProcess) -> None:
    await server.until(lambda: server.named("get-job"))
    port = int(server.url.rpartition(":")[2])
    await server.stop()
    await server.start(port)

    await server.report(server.offer("true"))
    assert worker.process is not None
    assert worker.process.poll() is None


async def test_job_has_non_zero_exitcode(server: FakeServer, one_slot: WorkerProcess) -> None:
    attempt = server.offer("sh", "-c", "exit 3")

    await server.until(lambda: len(server.named("get-job")) == 2)

    assert server.order() == [*START, "status: working", "job-finished", "status: ready_for_work", "get-job"]
    assert server.finished[attempt]["result"]["exit_code"] == 3


async def _error(_request: web.Request) -> web.StreamResponse:
    return problem(500, "internal")


async def _html(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>welcome</html>", content_type="text/html")


async def _garbage(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"received": tr', content_type="application/json")


async def _other_json(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"received": "true"})


async def _not_received(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"received": False})


async def _created(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"received": True}, status=201)


async def _elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": str(request.url.with_path("/elsewhere"))})


async def _slow(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "18"})
    await response.prepare(request)
    await response.write(b'{"received"')
    assert request.transport is not None
    request.transport.abort()
    return response


async def _hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
FAULTS: list[Fault] = [_error, _html, _garbage, _other_json, _not_received, _created, _elsewhere, _slow, _cut, _hung_up]


async def _drained(worker: WorkerProcess) -> None:
    """Whatever was started has ended and was reported."""
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_worker_registry_has_an_error(
    server: FakeServer, make_worker: MakeWorker, tmp_path: Path, fault: Fault
) -> None:
    """The job is refused, and no process was made. Source: guarantees.md, G3, F10."""

    async def faulty(request: web.Request, body: Any) -> web.StreamResponse | None:  # noqa: ANN401
        return await fault(request) if body["status"] == "working" else None

    server.override["status"] = faulty
    server.heartbeat_s = 60
    mark = tmp_path / "started"
    worker = make_worker(status_timeout_s=0.5).start()
    attempt = server.offer("touch", str(mark))
    await server.until(lambda: len(server.named("get-job")) == 2)
    await _drained(worker)

    assert server.order()[:6] == [*START, "status: working", "refuse-job", "get-job"]
    [refused] = server.named("refuse-job")[0].body["attempts"]
    assert refused["attempt_id"] == attempt
    assert refused["reason"].startswith("registry unavailable: ")
    assert not mark.exists()
    assert server.finished == {}


async def test_an_acknowledgement_after_the_lease_had_ended_is_none(
    server: FakeServer,
    make_worker: MakeWorker,
    tmp_path: Path,
) -> None:
    """Source: guarantees.md, F9."""
    server.lease_s = 0.4

    async def late(_request: web.Request, body: Any) -> web.Response | None:  # noqa: ANN401
        if body["status"] == "working":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.Event().wait()
        return None

    server.override["status"] = late
    worker = make_worker().start()
    server.offer("touch", str(tmp_path / "started"))
    await server.until(lambda: server.named("refuse-job"))
    await _drained(worker)

    assert server.finished == {}
    assert not (tmp_path / "started").exists()


async def test_a_refused_job_runs_when_the_registry_is_back(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F12."""
    failing = True

    async def faulty(_request: web.Request, body: Any) -> web.Response | None:  # noqa: ANN401
        return problem(503, "unavailable") if failing and body["status"] == "working" else None

    server.override["status"] = faulty
    server.offer("true")
    await server.until(lambda: server.named("refuse-job"))
    failing = False

    await server.report(server.offer("true"))
