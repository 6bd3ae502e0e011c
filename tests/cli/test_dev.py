"""`rota dev` and `rota demo`: two processes, and none when they have ended."""

import signal
import subprocess
from pathlib import Path

from cli.conftest import Shell, variables
from house import free_port
from waiting import until


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if str(folder) in line:
            found.append(line)
    return found


def started(shell: Shell, data: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """`rota dev`, once it has said all it says at its start."""
    dev = shell.start("dev", "--port", str(port), "--data", str(data), "--slots", "2")
    assert dev.stdout is not None
    said = b""
    while line := dev.stdout.readline():
        said += line
        if b"Try:" in line:
            break
    return dev, said.decode()


def stopped(dev: subprocess.Popen[bytes], number: signal.Signals) -> int:
    dev.send_signal(number)
    dev.communicate(timeout=30)
    return dev.returncode


def test_dev_runs_jobs_keeps_them_and_leaves_nothing_running(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    shell = Shell(variables(tmp_path, ROTA_DATA=str(data)), tmp_path)
    dev, said = started(shell, data, port)
    try:
        first = shell("run", "--", "sh", "-c", "echo hello; exit 3")
        taken = shell("dev", "--port", str(port), "--data", str(tmp_path / "other"))
    finally:
        code = stopped(dev, signal.SIGINT)

    assert "✓ database" in said
    assert f"http://127.0.0.1:{port}" in said
    assert "2 slots" in said
    assert (first.returncode, first.stdout) == (3, "hello\n")
    assert taken.returncode == 125
    assert f"--port {port + 1}" in taken.stderr
    assert code == 0
    assert processes_of(data) == []

    dev, _ = started(shell, data, port)
    try:
        kept, workers = shell.json("list")["jobs"], shell.json("workers")["workers"]
        again = shell("run", "-q", "--", "echo", "again")
    finally:
        code = stopped(dev, signal.SIGTERM)

    assert [job["result"]["exit_code"] for job in kept] == [3]
    assert len(workers) == 1, "the worker came back with the credential that it kept"
    assert again.stdout == "again\n"
    assert code == 0


def test_dev_stops_jobs_that_still_run(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    shell = Shell(variables(tmp_path, ROTA_DATA=str(data)), tmp_path)
    dev, _ = started(shell, data, port)
    marker = tmp_path / "sleeps-here"
    try:
        shell("submit", "--", "sh", "-c", f"echo {marker}; sleep 120 # {marker}")
        until(lambda: processes_of(marker), why="the job runs")
    finally:
        code = stopped(dev, signal.SIGINT)

    assert code == 0
    assert processes_of(marker) == []
    assert processes_of(data) == []


def test_dev_that_was_killed_is_started_again_and_takes_up_the_job_that_ran(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    shell = Shell(variables(tmp_path, ROTA_DATA=str(data)), tmp_path)
    go_on = tmp_path / "go-on"
    dev, _ = started(shell, data, port)
    try:
        job = shell("submit", "-q", "--", "sh", "-c", f"until [ -e {go_on} ]; do sleep 0.1; done; echo done").stdout
        until(lambda: processes_of(go_on), why="the job runs")
    finally:
        stopped(dev, signal.SIGKILL)

    dev, said = started(shell, data, port)
    try:
        go_on.touch()
        ended = shell("wait", job.strip())
        shown = shell.json("show", job.strip())
        log = shell("logs", job.strip()).stdout
    finally:
        code = stopped(dev, signal.SIGINT)

    assert "Try:" in said
    assert (ended.returncode, log) == (0, "done\n")
    assert [attempt["number"] for attempt in shown["attempts"]] == [1]
    assert code == 0
    assert processes_of(data) == []


STUBBORN = "trap '' TERM; echo it runs; while :; do sleep 0.1; done"


def test_dev_cancels_a_job_that_ignores_sigterm_after_its_grace_as_it_said(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    shell = Shell(variables(tmp_path, ROTA_DATA=str(data)), tmp_path)
    dev, said = started(shell, data, port)
    try:
        job = shell("submit", "-q", "--grace", "1s", "--", "sh", "-c", STUBBORN).stdout.strip()
        until(lambda: "it runs" in shell("logs", job).stdout, why="the job runs")
    finally:
        dev.send_signal(signal.SIGINT)
        _, told = dev.communicate(timeout=30)
    left = processes_of(data)
    dev, _ = started(shell, data, port)
    try:
        shown = shell.json("show", job)
    finally:
        stopped(dev, signal.SIGINT)

    assert "what runs then is cancelled" in said
    assert "still run are cancelled" in told.decode()
    assert left == []
    assert shown["state"] == "cancelled"


def test_a_second_ctrl_c_kills_what_dev_waits_for_and_leaves_no_process(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    shell = Shell(variables(tmp_path, ROTA_DATA=str(data)), tmp_path)
    marker = tmp_path / "stubborn"
    dev, _ = started(shell, data, port)
    assert dev.stderr is not None
    try:
        job = shell("submit", "-q", "--grace", "1h", "--", "sh", "-c", f"{STUBBORN} # {marker}").stdout.strip()
        until(lambda: "it runs" in shell("logs", job).stdout, why="the job runs")
    finally:
        dev.send_signal(signal.SIGINT)
        while b"Ctrl-C again" not in dev.stderr.readline():
            pass
        code = stopped(dev, signal.SIGINT)

    assert code == 0
    assert processes_of(marker) == []
    assert processes_of(data) == []


def test_demo_shows_three_acts_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    shell = Shell(variables(tmp_path, TMPDIR=str(tmp_path / "tmp")), tmp_path)
    done = shell("demo")

    assert done.returncode == 0, done.stderr
    for words in (
        "line 4 has",
        "✓ exit 0",
        "brought back",
        '"lines":4',
        "✗ exit 3",
        "state finished",
        "jobFinishedReceived",
    ):
        assert words in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path / "tmp") == []


def test_demo_that_is_interrupted_cleans_up(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    shell = Shell(variables(tmp_path, TMPDIR=str(tmp_path / "tmp")), tmp_path)
    demo = shell.start("demo")
    assert demo.stdout is not None
    while b"line 1" not in demo.stdout.readline():
        pass

    assert stopped(demo, signal.SIGINT) == 130
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path / "tmp") == []
