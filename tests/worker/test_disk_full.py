"""The worker's disk is full: what ran is reported, nothing new is begun, nothing dies. Source: guarantees.md, F34."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from small_disk import empty, fill, free_bytes
from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess, eventually

GATED = """
    echo before
    touch {gate}.begun
    while ! [ -e {gate} ]; do sleep 0.05; done
    echo after
    exit 7
"""


class Gate:
    """A job that goes on when it is told to; its files are on another disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"

    @property
    def script(self) -> str:
        return GATED.format(gate=self.path)

    async def begun(self) -> None:
        await eventually(self.path.with_suffix(".begun").exists)

    def open(self) -> None:
        self.path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def worker(make_worker: MakeWorker, small_disk: Path, tmp_path: Path) -> WorkerProcess:
    """Its work folder is on the small disk; what it says is not."""
    made = make_worker()
    made.said_file, made.work_dir = tmp_path / "said", small_disk / "w"
    return made


async def test_a_job_that_runs_is_reported_and_no_other_is_begun_until_there_is_room(
    server: FakeServer, worker: WorkerProcess, small_disk: Path, gate: Gate
) -> None:
    worker.start()
    first = server.offer(script=gate.script)
    await gate.begun()
    await server.until(lambda: len(server.named("get-job")) >= 2)  # the next question is held

    fill(small_disk)
    second = server.offer("true")

    refused = await server.until(lambda: [call for call in server.named("refuse-job") if second in str(call.body)])
    assert "disk is full" in refused[0].body["attempts"][0]["reason"]
    third = server.offer("true")
    gate.open()
    report = await server.report(first)
    assert report["result"]["exit_code"] == 7
    assert server.log_of(first).startswith(b"before\n")
    await eventually(lambda: "no job is asked for" in worker.said)
    assert [job["attempt_id"] for job in server.queue] == [third]
    assert second not in str([call.body for call in server.named("status")])

    empty(small_disk)

    assert (await server.report(third))["result"]["exit_code"] == 0
    assert worker.process is not None
    assert worker.process.poll() is None
    assert (worker.said.count("is full"), worker.said.count("has room again")) == (1, 1)


@pytest.mark.parametrize("and_shepherd", [False, True], ids=["agent", "agent-and-shepherd"])
async def test_how_a_job_ended_outlives_its_worker_on_a_full_disk(
    server: FakeServer, worker: WorkerProcess, small_disk: Path, gate: Gate, *, and_shepherd: bool
) -> None:
    """The agent is killed, the job ends without it, on a disk without a byte."""
    worker.start()
    attempt = server.offer(script=gate.script)
    await gate.begun()
    await eventually((worker.work_dir / "reserve").exists)
    fill(small_disk)
    worker.signal(signal.SIGKILL)
    await worker.ended()
    gate.open()
    ended = worker.work_dir / "jobs" / attempt / "ended"
    await eventually(lambda: ended.exists() and ended.stat().st_size)
    if and_shepherd:
        [shepherd] = worker.shepherds()
        os.kill(shepherd, signal.SIGKILL)
        await eventually(lambda: not worker.shepherds())

    worker.start()

    report = await server.report(attempt)
    assert (report["result"]["exit_code"], server.log_of(attempt)[:7]) == (7, b"before\n")


async def test_a_report_that_waits_is_kept_on_a_full_disk(
    server: FakeServer, worker: WorkerProcess, small_disk: Path, gate: Gate
) -> None:
    """The gateway is away, then agent and shepherd are killed: what was spooled at the reserve's cost is sent."""

    async def unavailable(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(503, "unavailable")

    worker.start()
    attempt = server.offer(script=gate.script)
    await gate.begun()
    await eventually((worker.work_dir / "reserve").exists)
    server.override["job-finished"] = unavailable
    fill(small_disk)
    gate.open()
    await server.until(lambda: server.named("job-finished"))
    assert "cannot be kept" not in worker.said
    [shepherd] = worker.shepherds()
    worker.signal(signal.SIGKILL)
    os.kill(shepherd, signal.SIGKILL)
    await worker.ended()
    server.override.clear()

    worker.start()

    assert (await server.report(attempt))["result"]["exit_code"] == 7


async def test_a_report_that_cannot_be_kept_is_sent_from_memory_and_remembered_by_the_shepherd(
    server: FakeServer, worker: WorkerProcess, small_disk: Path, gate: Gate
) -> None:
    async def unavailable(_request: Any, _body: Any) -> Any:  # noqa: ANN401
        return problem(503, "unavailable")

    worker.start()
    attempt = server.offer(script=gate.script)
    await gate.begun()
    await eventually((worker.work_dir / "reserve").exists)
    server.override["job-finished"] = unavailable
    (worker.work_dir / "reserve").unlink()
    fill(small_disk)
    gate.open()
    await server.until(lambda: server.named("job-finished"))
    assert "cannot be kept" in worker.said
    worker.signal(signal.SIGKILL)
    await worker.ended()
    server.override.clear()

    worker.start()

    assert (await server.report(attempt))["result"]["exit_code"] == 7


async def test_a_first_start_on_a_full_disk_uses_up_no_token(
    server: FakeServer, worker: WorkerProcess, small_disk: Path
) -> None:
    fill(small_disk)
    assert free_bytes(small_disk) < 4096
    worker.start()
    await eventually(lambda: "is full" in worker.said)
    assert server.named("enrol") == []

    empty(small_disk)

    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0
    assert len(server.named("enrol")) == 1


async def test_a_report_that_the_servers_disk_does_not_take_now_is_sent_again(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    """Source: guarantees.md, F35: the rejection says nothing against the report."""
    worker = make_worker().start()
    attempts: list[str] = []

    async def not_now(request: Any, body: Any) -> Any:  # noqa: ANN401
        attempt = body["attempts"][0]["attempt_id"]
        attempts.append(attempt)
        if len(attempts) > 2:
            return None
        told = {"type": "https://rota.dev/problems/unavailable", "title": "full", "status": 503, "detail": "disk"}
        return web.json_response({"received": [], "rejected": [{"attempt_id": attempt, "problem": told}]})

    server.override["job-finished"] = not_now
    attempt = server.offer("sh", "-c", "exit 4")

    assert (await server.report(attempt))["result"]["exit_code"] == 4
    assert attempts == [attempt] * 3
    assert "given up" not in worker.said
