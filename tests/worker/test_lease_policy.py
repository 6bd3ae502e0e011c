"""`lease_policy: keep`: a job goes on through a partition, until its detach timeout. Source: protocol.md; G9."""

import signal
from pathlib import Path
from typing import Any

import pytest

from worker.fake_server import FakeServer, problem
from worker.rig import MakeWorker, WorkerProcess, eventually, gone, is_alive, number_in

LEASE_S, HEARTBEAT_S = 1.5, 0.4


@pytest.fixture(autouse=True)
def short_leases(server: FakeServer) -> None:
    server.lease_s, server.heartbeat_s = LEASE_S, HEARTBEAT_S


async def cut(_request: Any, _body: Any) -> Any:  # noqa: ANN401
    """A server beyond the partition."""
    return problem(503, "unavailable")


def part(server: FakeServer) -> None:
    server.override |= dict.fromkeys(("heartbeat", "status", "get-job", "job-finished", "upload"), cut)


async def lasts(server: FakeServer, leases: float = 2) -> None:
    """The partition, for so many leases: the worker's heartbeats are its clock."""
    tries = len(server.named("status"))
    await server.until(lambda: len(server.named("status")) >= tries + leases * LEASE_S / HEARTBEAT_S)


def waiting_job(tmp_path: Path) -> str:
    return f"echo $$ > {tmp_path}/pid; until [ -e {tmp_path}/go-on ]; do sleep 0.05; done; exit 3"


async def test_a_kept_job_goes_on_and_its_result_is_told_when_the_server_is_back(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    attempt = server.offer(script=waiting_job(tmp_path), lease_policy="keep")
    pid = await number_in(tmp_path / "pid")
    await server.until(lambda: server.named("heartbeat"))
    part(server)
    await lasts(server)
    assert is_alive(pid)
    (tmp_path / "go-on").touch()
    await gone(pid)
    server.override.clear()

    assert (await server.report(attempt))["result"]["exit_code"] == 3
    assert "its lease ended" not in worker.said


async def test_the_next_agent_knows_that_a_job_is_kept(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    timeout_s = 3.5
    attempt = server.offer(script=waiting_job(tmp_path), lease_policy="keep", detach_timeout_s=timeout_s)
    pid = await number_in(tmp_path / "pid")
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGKILL)
    await worker.ended()
    worker.start()
    beats = len(server.named("heartbeat"))  # what the first agent had told the shepherd is over by then:
    await server.until(lambda: len(server.named("heartbeat")) > beats + (LEASE_S + timeout_s) / HEARTBEAT_S)
    part(server)
    await lasts(server)
    assert is_alive(pid)
    (tmp_path / "go-on").touch()
    server.override.clear()

    assert (await server.report(attempt))["result"]["exit_code"] == 3


async def test_a_kept_job_is_ended_when_its_detach_timeout_is_over_though_the_agent_is_frozen(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """From then on the server may give it to another worker."""
    spec = {"lease_policy": "keep", "detach_timeout_s": 2.5}
    attempt = server.offer(script=waiting_job(tmp_path), **spec)
    server.offer(script=f"echo $$ > {tmp_path}/stopped; sleep 60")
    pid, other = await number_in(tmp_path / "pid"), await number_in(tmp_path / "stopped")
    await server.until(lambda: server.named("heartbeat"))
    worker.signal(signal.SIGSTOP)

    await gone(other, within_s=LEASE_S + 1)
    assert is_alive(pid)
    await gone(pid, within_s=3.5)

    worker.signal(signal.SIGCONT)
    await eventually(lambda: worker.said.count("its lease ended before it could be renewed") == 2)
    assert attempt not in server.finished


async def test_the_inputs_of_a_kept_job_are_fetched_also_when_its_lease_is_over(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    server.override["input"] = cut
    worker = make_worker().start()
    kept = server.offer(script="cat in", files={"in": b"hi"}, lease_policy="keep")
    lost = server.offer(script="cat in", files={"in": b"hi"})
    await server.until(lambda: server.named("input"))
    part(server)
    await eventually(lambda: f"attempt {lost} is given up" in worker.said)
    server.override.clear()

    report = await server.report(kept)

    assert (report["result"]["exit_code"], server.log_of(kept)) == (0, b"hi")
    assert f"attempt {kept} is given up" not in worker.said
