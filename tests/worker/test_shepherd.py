"""The shepherd listens to its agent alone, and one that is stopped keeps no job. Source: architecture.md; G9, G11."""

import os
import signal
import sys
import time
from pathlib import Path

from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess, eventually, gone, is_alive, number_in

INTRUDER = """
import socket, sys
end = socket.socket(socket.AF_UNIX)
end.connect(sys.argv[1])
end.settimeout(5)
print(len(end.recv(1)))
"""


async def passes(duration_s: float) -> None:
    """So long, while others go on."""
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > duration_s)


async def test_a_job_cannot_take_the_agents_place(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    """It is of the worker's own user, and may connect; nothing is told to it, and nobody is sent away for it."""
    (tmp_path / "intruder.py").write_text(INTRUDER)
    go_on = tmp_path / "go-on"
    other = server.offer(script=f"until [ -e {go_on} ]; do sleep 0.05; done; exit 4")
    socket = worker.work_dir / "shepherd.sock"
    intruder = server.offer(sys.executable, str(tmp_path / "intruder.py"), str(socket))

    report = await server.report(intruder)

    assert (report["result"]["exit_code"], server.log_of(intruder)) == (0, b"0\n")
    go_on.touch()
    assert (await server.report(other))["result"]["exit_code"] == 4
    assert len({call.headers["Rota-Incarnation"] for call in server.calls}) == 1
    assert "shepherd" not in worker.said


async def test_a_job_that_puts_a_lock_of_its_own_there_holds_nothing(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    script = (
        "import fcntl, os, sys; os.unlink(sys.argv[2]); file = open(sys.argv[2], 'w'); fcntl.lockf(file, fcntl.LOCK_EX)"
    )
    (tmp_path / "intruder.py").write_text(script + INTRUDER)
    socket, lock = worker.work_dir / "shepherd.sock", worker.work_dir / "lock"
    await server.until(lambda: server.named("get-job"))
    intruder = server.offer(sys.executable, str(tmp_path / "intruder.py"), str(socket), str(lock))

    assert (await server.report(intruder))["result"]["exit_code"] == 0

    assert server.log_of(intruder) == b"0\n"
    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0


async def test_a_stopped_shepherd_is_ended_and_what_it_watched_is_told_as_lost(
    server: FakeServer, make_worker: MakeWorker, tmp_path: Path
) -> None:
    worker = make_worker(shepherd_silent_s=0.6).start()
    attempt = server.offer(script=f"echo $$ > {tmp_path}/pid; trap '' TERM; while :; do sleep 0.1 || :; done")
    pid = await number_in(tmp_path / "pid")
    await server.until(lambda: server.named("heartbeat"))
    [shepherd] = worker.shepherds()
    os.kill(shepherd, signal.SIGSTOP)

    await gone(pid, within_s=8)

    first = server.calls[0].headers["Rota-Incarnation"]
    status = await server.until(
        lambda: [call for call in server.named("status") if call.headers["Rota-Incarnation"] != first]
    )
    assert status[0].body["attempts"] == [], "the server releases what a new incarnation does not name"
    assert not is_alive(shepherd)
    assert attempt not in server.finished
    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0
    assert "Traceback" not in worker.said


async def test_what_had_ended_and_is_not_on_disk_yet_is_reported_before_the_agent_starts_over(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """The former shepherd had told it to this agent alone."""
    await server.until(lambda: server.named("get-job"))
    held_up = worker.work_dir / "spool" / "000000000001.json.new"
    os.mkfifo(held_up)
    ended = server.offer("sh", "-c", "exit 6")
    await server.until(lambda: server.named("heartbeat"))
    await eventually(lambda: not worker.processes_of(ended))
    server.offer(script=f"echo $$ > {tmp_path}/pid; sleep 60")
    pid = await number_in(tmp_path / "pid")  # so the shepherd has told of the first
    [shepherd] = worker.shepherds()
    os.kill(shepherd, signal.SIGKILL)
    await gone(pid)
    beats = len(server.named("heartbeat"))
    await server.until(lambda: len(server.named("heartbeat")) > beats + 2)
    assert "starting over" not in worker.said

    with held_up.open("rb"):
        held_up.unlink()  # the spool's next try is a file

    assert (await server.report(ended))["result"]["exit_code"] == 6
    await eventually(lambda: "starting over" in worker.said)


async def test_the_next_agent_ends_a_stopped_shepherd_that_does_not_greet_it(
    server: FakeServer, make_worker: MakeWorker, tmp_path: Path
) -> None:
    worker = make_worker(shepherd_silent_s=0.6).start()
    server.offer(script=f"echo $$ > {tmp_path}/pid; sleep 60")
    pid = await number_in(tmp_path / "pid")
    [shepherd] = worker.shepherds()
    worker.signal(signal.SIGKILL)
    await worker.ended()
    os.kill(shepherd, signal.SIGSTOP)
    worker.start()

    await gone(pid, within_s=10)

    assert not is_alive(shepherd)
    assert (await server.report(server.offer("true")))["result"]["exit_code"] == 0


async def test_an_agent_that_was_frozen_itself_ends_no_shepherd(
    server: FakeServer, make_worker: MakeWorker, tmp_path: Path
) -> None:
    worker = make_worker(shepherd_silent_s=0.4).start()
    attempt = server.offer(script=f"until [ -e {tmp_path}/go-on ]; do sleep 0.05; done; exit 5")
    await server.until(lambda: server.named("heartbeat"))
    [shepherd] = worker.shepherds()
    for number in (signal.SIGSTOP, signal.SIGCONT) * 3:
        worker.signal(number)
        await passes(1.0)
    (tmp_path / "go-on").touch()

    assert (await server.report(attempt))["result"]["exit_code"] == 5
    assert worker.shepherds() == [shepherd]
