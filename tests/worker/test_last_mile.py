"""What ran is reported, however long the outage. Source: protocol.md, "Starting"; guarantees.md, G10, F44."""

import asyncio
import base64
import hashlib
import json
import os
import signal
import time
from typing import Any

from aiohttp import web

from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess, eventually, gone


async def unavailable(_request: Any, _body: Any) -> Any:  # noqa: ANN401
    return problem(503, "unavailable")


def jwt(life_s: float) -> str:
    """A token with a life, by its own claims; nobody verifies its signature here."""
    claims = {"iat": time.time(), "exp": time.time() + life_s}
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


def is_expired(authorization: str) -> bool:
    text = authorization.removeprefix("Bearer ").split(".")[1]
    expires_at: float = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))["exp"]
    return time.time() > expires_at


async def test_the_credential_is_renewed_while_reports_wait_and_the_gateway_is_gone(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    """An outage of three lives of a credential; an hour of one of 24 is less."""
    life_s = 2.0

    def credential() -> dict[str, Any]:
        return {"method": "jwt", "token": jwt(life_s), "expires_at": None}

    async def enrol(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        urls = {"gateway_url": server.url, "registry_url": server.url}
        answer = {"worker_id": "w1", "environment": "e", "credential": credential(), "heartbeat_s": 0.4, **urls}
        return web.json_response(answer, status=201)

    async def renew(request: Any, _body: Any) -> Any:  # noqa: ANN401
        if is_expired(request.headers["Authorization"]):
            return problem(401, "unauthenticated")
        return web.json_response({"credential": credential()})

    async def unless_expired(request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(401, "unauthenticated") if is_expired(request.headers["Authorization"]) else None

    server.override |= {"enrol": enrol, "renew": renew, "status": unless_expired, "get-job": unless_expired}
    server.override |= dict.fromkeys(("job-finished", "upload", "offset"), unavailable)
    worker = make_worker().start()
    attempt = server.offer(script="echo done; head -c 200000 /dev/zero > big; exit 5", artifacts=["big"])
    await server.until(lambda: server.named("upload"))
    began = time.monotonic()
    await server.until(lambda: time.monotonic() - began > 3 * life_s)
    server.override |= dict.fromkeys(("job-finished", "upload", "offset"), unless_expired)

    report = await server.report(attempt)

    assert (report["result"]["exit_code"], server.log_of(attempt)) == (5, b"done\n")
    assert len(server.uploads[attempt, "big"]) == 200_000
    assert not is_expired(server.named("job-finished")[-1].headers["Authorization"])
    assert "no longer accepts" not in worker.said


async def test_leases_are_renewed_while_every_upload_hangs(server: FakeServer, make_worker: MakeWorker) -> None:
    """Source: "lease renewal is never behind an upload"."""
    server.lease_s, server.heartbeat_s = 1.5, 0.4
    go_on = asyncio.Event()

    async def hangs(_request: Any, _body: Any) -> None:  # noqa: ANN401
        await go_on.wait()

    server.override["upload"] = hangs
    make_worker(slots=4, uploads_max=2).start()
    fill = "head -c 3000000 /dev/zero > big; head -c 300000 /dev/zero"
    reported = [server.offer(script=fill, artifacts=["big"]) for _ in range(3)]
    running = server.offer("sleep", "4")

    assert (await server.report(running))["result"]["exit_code"] == 0

    held = [set(call.body["attempts"]) for call in server.named("heartbeat")]
    assert set(reported) <= held[-1]
    assert len(held) >= 6
    go_on.set()
    for attempt in reported:
        assert "problems" not in await server.report(attempt)


async def test_the_next_agent_resumes_an_upload_where_it_stopped_and_names_no_more_what_died(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """Agent and shepherd are killed, as when the machine goes. Source: protocol.md, "Incarnation"; F44."""
    stored: list[int] = []

    async def two_pieces(request: Any, body: bytes) -> Any:  # noqa: ANN401
        if len(stored) >= 2 and "upload" in server.override:
            return problem(503, "unavailable")
        stored.append(int(request.headers["Upload-Offset"]))
        return None

    server.override["upload"] = two_pieces
    died = server.offer("sleep", "60")
    attempt = server.offer(script="head -c 5000000 /dev/urandom > big; exit 3", artifacts=["big"])
    await server.until(lambda: len(server.named("upload")) >= 3)
    [pid] = await eventually(lambda: worker.processes_of(died))
    [shepherd] = worker.shepherds()
    for process in (worker.pid, shepherd):
        os.kill(process, signal.SIGKILL)
    await worker.ended()
    await gone(shepherd)
    before = len(server.calls)
    del server.override["upload"]
    worker.start(token=None)

    report = await server.report(attempt)

    status = next(call for call in server.calls[before:] if call.name == "status")
    assert status.body["attempts"] == [attempt]
    sent = [int(call.headers["Upload-Offset"]) for call in server.calls[before:] if call.name == "upload"]
    assert (stored, min(sent)) == ([0, 2**20], 2 * 2**20), "what is stored is not sent again"
    [big] = report["artifacts"]
    assert hashlib.sha256(server.uploads[attempt, "big"]).hexdigest() == big["sha256"]
    assert report["result"]["exit_code"] == 3
    await gone(pid)
    assert died not in server.finished


async def test_a_worker_with_too_much_unreported_asks_for_no_more(server: FakeServer, make_worker: MakeWorker) -> None:
    """The limit is on what waits; it asks again as soon as that was received."""
    server.override["job-finished"] = unavailable
    worker = make_worker(slots=3, spool_size_bytes_max=100_000).start()
    small = server.offer(script="head -c 60000 /dev/zero")
    await eventually(lambda: list((worker.work_dir / "spool").glob("*.json")))
    large = server.offer(script="head -c 60000 /dev/zero > file", artifacts=["file"])

    await eventually(lambda: "too much waits to be reported" in worker.said)

    later = server.offer("true")
    asked = len(server.named("get-job"))
    heard = len(server.named("heartbeat"))
    await server.until(lambda: len(server.named("heartbeat")) >= heard + 3)
    assert (len(server.named("get-job")), len(server.queue)) == (asked, 1)
    del server.override["job-finished"]
    for attempt in (small, large, later):
        assert (await server.report(attempt))["result"]["exit_code"] == 0


async def test_the_limit_counts_what_an_earlier_agent_left(server: FakeServer, make_worker: MakeWorker) -> None:
    server.override["job-finished"] = unavailable
    worker = make_worker(spool_size_bytes_max=50_000).start()
    attempt = server.offer(script="head -c 60000 /dev/zero")
    await eventually(lambda: list((worker.work_dir / "spool").glob("*.json")))
    worker.signal(signal.SIGKILL)
    await worker.ended()
    asked = len(server.named("get-job"))
    said = worker.said.count("too much waits")
    worker.start()

    await eventually(lambda: worker.said.count("too much waits") > said)

    assert len(server.named("get-job")) == asked
    del server.override["job-finished"]
    await server.report(attempt)
    await server.until(lambda: len(server.named("get-job")) > asked)


async def test_what_is_left_unreported_by_a_worker_that_leaves_is_named_and_reported_by_the_next(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """`offline` gives back what it does not name: a result that waits on disk must not be given away with it."""
    server.override["job-finished"] = unavailable
    attempt = server.offer("true")
    await server.until(lambda: server.named("job-finished"))
    worker.signal(signal.SIGTERM)
    await eventually(lambda: "draining" in worker.said)
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    last = server.named("status")[-1].body
    assert (last["status"], last["attempts"]) == ("offline", [attempt])
    del server.override["job-finished"]

    worker.start()

    assert (await server.report(attempt))["result"]["exit_code"] == 0
