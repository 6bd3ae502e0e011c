"""Processes of jobs: how they are made, and that nothing of them is left. Source: guarantees.md, G11, G12, F16, F32."""

import os
import resource
import signal
from pathlib import Path

import pytest

from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess, gone, is_alive, number_in

HIDDEN = {
    "a child in the background": "sleep 600 & echo $! > $MARK",
    "setsid": "setsid sh -c 'echo $$ > $MARK; exec sleep 600' & until [ -s $MARK ]; do :; done",
    "a double fork": "(setsid sh -c 'echo $$ > $MARK; exec sleep 600' &) ; until [ -s $MARK ]; do :; done",
    "no environment": "M=$MARK; env -i setsid sh -c 'echo $$ > '$M'; exec sleep 600' & until [ -s $MARK ]; do :; done",
    "deaf to SIGTERM": "setsid sh -c 'trap \"\" TERM HUP; echo $$ > $MARK; while :; do sleep 1; done' &"
    " until [ -s $MARK ]; do :; done",
}


@pytest.mark.parametrize("script", HIDDEN.values(), ids=HIDDEN.keys())
async def test_no_descendant_survives_its_job(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path, script: str
) -> None:
    mark = tmp_path / "pid"
    attempt = server.offer(script=script, env={"MARK": str(mark)})

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 0
    assert not is_alive(int(mark.read_text()))


async def test_a_daemon_of_one_running_job_is_left_alone_when_another_ends(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    mark, go_on = tmp_path / "pid", tmp_path / "go-on"
    script = f"(setsid sh -c 'echo $$ > {mark}; exec sleep 600' &) ; until [ -e {go_on} ]; do sleep 0.05 || :; done"
    long = server.offer(script=script)
    daemon = await number_in(mark)
    for _ in range(3):
        await server.report(server.offer("sh", "-c", "(setsid sleep 600 &)"))

    assert is_alive(daemon)
    go_on.touch()
    await server.report(long)
    assert not is_alive(daemon)


async def test_timeout_sends_sigterm_and_what_obeys_has_its_say(server: FakeServer, worker: WorkerProcess) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05 || :; done"
    attempt = server.offer(script=script, timeout_s=0.5, grace_s=10)

    result = (await server.report(attempt))["result"]

    assert (result["reason"], result["exit_code"], result["signal"]) == ("timed_out", 7, None)
    assert server.log_of(attempt).startswith(b"ready\n")
    assert server.log_of(attempt).endswith(b"bye\n")


async def test_sigkill_comes_to_the_whole_tree_after_the_grace(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    deaf = "trap '' TERM; while :; do sleep 0.05 || :; done"
    attempt = server.offer(script=f'setsid sh -c "echo \\$\\$ > {child}; {deaf}" & {deaf}', timeout_s=0.5, grace_s=0.5)

    result = (await server.report(attempt))["result"]

    assert (result["reason"], result["exit_code"], result["signal"]) == ("timed_out", None, "SIGKILL")
    assert 0.9 < result["usage"]["wall_s"] < 5
    assert not is_alive(int(child.read_text()))


async def test_sigterm_reaches_the_whole_tree(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    mark = tmp_path / "child"
    child = f"trap 'echo termed > {mark}; exit' TERM; touch {mark}.ready; while :; do sleep 0.05 || :; done"
    main = f"setsid sh -c \"{child}\" & trap '' TERM; until [ -s {mark} ]; do sleep 0.05 || :; done"
    attempt = server.offer(script=main, timeout_s=1, grace_s=10)

    await server.report(attempt)

    assert mark.read_text() == "termed\n"


async def test_a_signal_of_its_own_is_told_as_such(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="kill -SEGV $$")

    result = (await server.report(attempt))["result"]

    assert (result["reason"], result["exit_code"], result["signal"]) == ("signaled", None, "SIGSEGV")


async def test_a_job_killed_by_somebody_else_is_not_out_of_memory(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F30."""
    attempt = server.offer(script="kill -KILL $$")

    assert (await server.report(attempt))["result"]["reason"] == "signaled"


async def test_forks_without_end_are_ended(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    """Source: guarantees.md, F32; actions/runner#4601: one look at the process table misses later forks."""
    mark = tmp_path / "pids"
    step = tmp_path / "step"
    step.write_text(f'#!/bin/sh\necho $$ >> {mark}\nsleep 0.02\nsetsid "$0" &\nsetsid sleep 60 &\nexit\n')
    step.chmod(0o755)
    attempt = server.offer(script=f"setsid {step} & sleep 600", timeout_s=1, grace_s=0)

    result = (await server.report(attempt))["result"]

    assert result["reason"] == "timed_out"
    assert worker.processes_of(attempt) == []
    assert await server.report(server.offer("true"))


async def test_a_job_ends_with_its_main_process_not_with_its_pipe(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="(trap '' TERM; sleep 600) & echo done")

    report = await server.report(attempt, within_s=5)

    assert report["result"]["exit_code"] == 0
    assert server.log_of(attempt) == b"done\n"


async def test_a_job_that_closes_its_output_runs_on(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="echo first; exec >&- 2>&-; sleep 0.3; exit 5")

    report = await server.report(attempt)

    assert report["result"]["exit_code"] == 5
    assert server.log_of(attempt) == b"first\n"


async def test_what_cannot_be_started_says_why(server: FakeServer, worker: WorkerProcess, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch(0o644)
    expected = {
        "no-such-program": (127, "no-such-program: command not found"),
        "./nothing": (127, "./nothing: command not found"),
        str(tmp_path): (126, f"{tmp_path}: is a folder"),
        str(plain): (126, f"{plain}: permission denied"),
    }
    for program, why in expected.items():
        report = await server.report(server.offer(program))

        assert (report["result"]["reason"], report["started_at"]) == ("not_started", None)
        assert (report["result"]["exit_code"], report["result"]["message"]) == why


async def test_a_script_without_an_interpreter_line_is_not_executable(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    (tmp_path / "bare").write_text("echo hi\n")
    (tmp_path / "bare").chmod(0o755)
    (tmp_path / "lost").write_text("#!/no/such/shell\n")
    (tmp_path / "lost").chmod(0o755)

    bare = await server.report(server.offer(str(tmp_path / "bare")))
    lost = await server.report(server.offer(str(tmp_path / "lost")))

    assert bare["result"]["exit_code"] == 126
    assert (lost["result"]["exit_code"], lost["result"]["message"]) == (
        127, f"{tmp_path / 'lost'}: its interpreter was not found"
    )  # fmt: skip


async def test_a_script_stops_at_its_first_error(server: FakeServer, worker: WorkerProcess) -> None:
    failing, unset = server.offer(script="false\necho not here"), server.offer(script='echo "$NO_SUCH_NAME"')

    assert (await server.report(failing))["result"]["exit_code"] == 1
    assert (await server.report(unset))["result"]["exit_code"] != 0
    assert server.log_of(failing) == b""


async def test_cancel_reaches_a_running_job_within_a_heartbeat(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer("sleep", "600")
    await server.until(lambda: server.named("heartbeat"))
    server.cancel.add(attempt)

    result = (await server.report(attempt, within_s=server.heartbeat_s + 2))["result"]

    assert (result["reason"], result["signal"]) == ("cancelled", "SIGTERM")


async def test_what_is_lost_is_killed_and_not_reported(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    attempt = server.offer(script=f"trap '' TERM; echo $$ > {mark}; while :; do sleep 0.1 || :; done")
    await server.until(lambda: server.named("heartbeat"))
    server.lost.add(attempt)

    await gone(await number_in(mark))
    await server.report(server.offer("true"))
    assert attempt not in server.finished


async def test_a_shepherd_that_is_killed_takes_its_jobs_with_it_and_the_worker_goes_on(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Source: guarantees.md, F17."""
    mark = tmp_path / "pid"
    attempt = server.offer(script=f"env -i setsid sh -c 'echo $$ > {mark}; exec sleep 600' & wait")
    pid = await number_in(mark)
    [shepherd] = worker.shepherds()

    os.kill(shepherd, signal.SIGKILL)

    await gone(pid)
    first = server.calls[0].headers["Rota-Incarnation"]
    await server.until(lambda: server.named("get-job")[-1].headers["Rota-Incarnation"] != first)
    await server.report(server.offer("true"))
    assert attempt not in server.finished


async def test_usage_is_the_kernels(server: FakeServer, worker: WorkerProcess) -> None:
    attempt = server.offer(script="i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")

    usage = (await server.report(attempt))["result"]["usage"]

    assert usage["user_s"] > 0.01
    assert usage["wall_s"] >= usage["user_s"] * 0.9
    assert usage["max_rss_bytes"] > 100_000


async def test_a_folder_of_path_that_cannot_be_searched_is_passed_over(
    server: FakeServer, worker: WorkerProcess
) -> None:
    """As execvp(3) does it. A name that is too long for the machine stands for one that is closed to the worker."""
    path = f"/{'x' * 300}:{os.environ['PATH']}"

    there = await server.report(server.offer("true", env={"PATH": path}))
    nowhere = await server.report(server.offer("no-such-program", env={"PATH": path}))

    assert there["result"]["exit_code"] == 0
    assert nowhere["result"]["message"] == "no-such-program: command not found"


async def test_the_shepherd_has_all_files_and_a_job_what_the_worker_had(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = (min(512, was[1]), was[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, lower)
    worker = make_worker().start()
    resource.setrlimit(resource.RLIMIT_NOFILE, was)
    attempt = server.offer(script="sleep 0.1; ulimit -Sn")

    await server.report(attempt)

    assert int(server.log_of(attempt)) == lower[0]
    [shepherd] = worker.shepherds()
    assert resource.prlimit(shepherd, resource.RLIMIT_NOFILE)[0] == was[1]
