"""`rota run`: as if the command ran here. Source: interface.md, "Exit codes of run and wait"."""

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from cli.conftest import Shell
from waiting import asleep, until


def test_the_log_is_stdout_and_the_exit_code_is_the_job_s(rota: Shell) -> None:
    done = rota("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3")

    assert (done.returncode, done.stdout) == (3, "out\nerr\n")
    assert done.stderr.startswith("  ✗ exit 3 after ")
    assert done.stderr.endswith("again: rota retry last      what happened: rota flow last\n")


def test_success_is_0_and_quiet_says_nothing_of_its_own(rota: Shell) -> None:
    done = rota("run", "-q", "--", "echo", "hello", "--not-an-option")

    assert (done.returncode, done.stdout, done.stderr) == (0, "hello --not-an-option\n", "")


def test_bytes_come_as_they_are_where_nobody_looks(rota: Shell) -> None:
    done = rota.raw("run", "-q", "--", "printf", r"a\000\377\r\033]0;title\007")

    assert done.stdout == b"a\0\xff\r\x1b]0;title\x07"


@pytest.mark.parametrize(
    ("command", "options", "code", "words"),
    [
        (["sh", "-c", "kill -9 $$"], [], 137, "killed by SIGKILL"),
        (["sh", "-c", "kill -TERM $$"], [], 143, "killed by SIGTERM"),
        (["sleep", "60"], ["--timeout", "0.3"], 124, "timed out"),
        (["/no/such/program"], [], 127, "not started"),
        (["/etc/passwd"], [], 126, "not started"),
        (["true"], ["--require", "no=such", "--queue-timeout", "0.2s"], 122, "expired"),
    ],
)
def test_every_end_has_its_code_and_its_words(
    rota: Shell, command: list[str], options: list[str], code: int, words: str
) -> None:
    done = rota("run", *options, "--", *command)

    assert done.returncode == code, done.stderr
    assert words in done.stderr


def test_a_job_that_somebody_cancels_is_121(rota: Shell) -> None:
    running = rota.start("run", "--environment", "quick", "--name", "to-cancel", "--", "sleep", "60")
    listed = until(lambda: rota.json("list", "--name", "to-cancel", "--state", "running")["jobs"])
    rota("cancel", listed[0]["id"])

    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 121
    assert "cancelled" in stderr.decode()


def test_a_spec_is_what_the_options_say(rota: Shell) -> None:
    done = rota(
        "submit", "--json", "--environment", "quick", "--require", "site=here", "--env", "A=b=c", "--env", "MINE",
        "--artifact", "out/**", "--timeout", "1h30m", "--grace", "2", "--queue-timeout", "90s", "--priority", "-5",
        "--name", "n", "--tag", "t=1", "--tag", "u=", "--lease-policy", "keep", "--detach-timeout", "2h",
        "--", "true", "--name", "x", MINE="here",
    )  # fmt: skip

    assert json.loads(done.stdout)["spec"] == {
        "command": ["true", "--name", "x"],
        "name": "n",
        "environment": "quick",
        "requires": {"site": "here"},
        "env": {"A": "b=c", "MINE": "here"},
        "artifacts": ["out/**"],
        "timeout_s": 5400.0,
        "grace_s": 2.0,
        "queue_timeout_s": 90.0,
        "priority": -5,
        "tags": {"t": "1", "u": ""},
        "lease_policy": "keep",
        "detach_timeout_s": 7200.0,
    }


def test_options_come_from_the_environment_too(rota: Shell) -> None:
    done = rota("run", "-q", "--", "sh", "-c", "echo $A", ROTA_ENV="A=1", ROTA_ENVIRONMENT="quick", ROTA_TIMEOUT="5")

    assert (done.returncode, done.stdout) == (0, "1\n")


def test_files_go_there_and_come_back(rota: Shell) -> None:
    (rota.folder / "data").mkdir()
    (rota.folder / "data/words.txt").write_text("one two\n")
    (rota.folder / "tool").write_text("#!/bin/sh\nwc -w < $1\n")
    script = "sh tool data/words.txt; mkdir out; cp renamed out/copy; chmod +x out/copy"
    (rota.folder / "job.sh").write_text(script)
    done = rota(
        "run", "--input", "data", "--input", "tool", "--input", f"{rota.folder}/job.sh:renamed", "--artifact", "out/*",
        "--fetch", "got", "--script", "job.sh",
    )  # fmt: skip

    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr
    assert (rota.folder / "got/out/copy").read_text() == script
    assert (rota.folder / "got/out/copy").stat().st_mode & stat.S_IXUSR
    assert "fetched got/out/copy" in done.stderr


def test_detached_it_prints_the_id_alone_and_comes_back(rota: Shell) -> None:
    done = rota("run", "-d", "--", "sh", "-c", "exit 7")

    assert rota("wait", done.stdout.strip()).returncode == 7
    assert "rota logs -f last" in done.stderr


def test_with_json_the_job_is_printed_at_its_end(rota: Shell) -> None:
    job = json.loads(rota("run", "--json", "--", "sh", "-c", "echo x; exit 4").stdout)

    assert (job["state"], job["result"]["exit_code"]) == ("finished", 4)


def test_ctrl_c_without_a_terminal_leaves_the_job_running_and_says_so(rota: Shell) -> None:
    running = rota.start("run", "--", "sh", "-c", "echo begun; sleep 60")
    assert running.stdout is not None
    assert running.stdout.readline() == b"begun\n"
    running.send_signal(signal.SIGINT)

    _, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert "left running" in stderr.decode()
    assert rota.json("show", "last")["state"] == "running"
    rota("cancel", "last")


def test_ctrl_c_before_any_output_names_the_job_though_quiet(rota: Shell) -> None:
    running = rota.start("run", "-q", "--name", "mute", "--require", "no=such", "--", "true")
    [job] = until(lambda: rota.json("list", "--name", "mute")["jobs"])
    running.send_signal(signal.SIGINT)

    _, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert f"its log: rota logs -f {job['id']}      stop it: rota cancel {job['id']}" in stderr.decode()
    rota("cancel", "last")


def test_ctrl_c_while_submitting_waits_for_the_id_and_twice_says_that_it_is_not_known(rota: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = rota.start("run", "--server", address, "--", "true")
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            running.send_signal(signal.SIGINT)
            assert running.stderr is not None
            assert b"is being submitted" in running.stderr.readline()
            running.send_signal(signal.SIGINT)
            _, stderr = running.communicate(timeout=10)

    assert running.returncode == 130
    assert "it may be there" in stderr.decode()
    assert "rota list" in stderr.decode()


def test_ctrl_c_before_a_job_is_submitted_says_so(rota: Shell) -> None:
    fifo = rota.folder / "script"
    os.mkfifo(fifo)
    running = rota.start("run", "--script", str(fifo))
    [writer] = until(lambda: open_where_read(fifo))
    until(lambda: asleep(running.pid))
    running.send_signal(signal.SIGINT)

    try:
        _, stderr = running.communicate(timeout=10)
    finally:
        os.close(writer)
        running.kill()
    assert running.returncode == 130
    assert "no job was submitted" in stderr.decode()


def open_where_read(fifo: Path) -> list[int]:
    """A descriptor to write to; none while nobody reads."""
    try:
        return [os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)]
    except OSError:  # ENXIO
        return []


def test_what_could_not_be_brought_back_is_said(rota: Shell) -> None:
    done = rota(
        "run", "--artifact", "out/*", "--", "sh", "-c", "mkdir out; echo 1 > out/good; ln -s /etc/passwd out/odd"
    )

    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("  not collected: artifact out/odd: ")]


def test_ctrl_c_cancels_where_that_was_said_before(rota: Shell) -> None:
    running = rota.start(
        "run", "--environment", "quick", "--on-interrupt", "cancel", "--", "sh", "-c", "echo begun; sleep 60"
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"begun\n"
    running.send_signal(signal.SIGINT)

    _, stderr = running.communicate(timeout=20)
    assert running.returncode == 121
    assert "cancelling" in stderr.decode()


COUNT = "for i in 1 2 3 4 5 6 7 8; do echo number $i; sleep 0.5; done"


def test_ctrl_c_on_a_terminal_asks_and_leaves_it(rota: Shell) -> None:
    session = rota.terminal("run", "--", "sh", "-c", COUNT)
    session.until("number 1")
    session.type("\x03")
    session.until("[c]ancel")
    session.type("l\n")

    assert session.ends() == 130
    assert "left running" in session.shown
    assert rota.json("show", "last")["state"] == "running"


@pytest.mark.parametrize("answer", ["c", "cancel", "Cancel"])
def test_ctrl_c_on_a_terminal_asks_and_cancels(rota: Shell, answer: str) -> None:
    session = rota.terminal("run", "--environment", "quick", "--", "sh", "-c", "echo begun; sleep 60")
    session.until("begun")
    session.type("\x03")
    session.until("[c]ancel")
    session.type(f"{answer}\n")

    assert session.ends() == 121
    assert "cancelling" in session.shown


def test_ctrl_c_on_a_terminal_asks_and_goes_on_without_losing_a_byte(rota: Shell) -> None:
    session = rota.terminal("run", "--", "sh", "-c", COUNT)
    session.until("number 1")
    session.type("\x03")
    session.until("[c]ancel")
    session.type("g\n")
    session.until("number 3")
    session.type("\x03")
    session.until("[c]ancel", times=2)
    session.type("g\n")

    assert session.ends() == 0
    numbers = [line.split()[-1] for line in session.shown.splitlines() if line.startswith("number")]
    assert numbers == [str(n) for n in range(1, 9)]


def test_a_second_ctrl_c_leaves(rota: Shell) -> None:
    session = rota.terminal("run", "--", "sh", "-c", COUNT)
    session.until("number 1")
    session.type("\x03")
    session.until("[c]ancel")
    until(lambda: asleep(session.pid))
    session.type("\x03")

    assert session.ends() == 130


def test_a_terminal_is_given_colours_and_nothing_that_it_obeys(rota: Shell) -> None:
    session = rota.terminal("run", "--", "printf", r"\033]52;c;eA==\007\033[31mred\033[0m\033[2J end\n")

    assert session.ends() == 0
    assert "\x1b[31mred\x1b[0m end" in session.shown
    assert "]52" not in session.shown
    assert "[2J" not in session.shown


def test_a_closed_pipe_is_no_traceback(rota: Shell, tmp_path: Path) -> None:
    running = rota.start("run", "-q", "--", "sh", "-c", "yes | head -c 3000000")
    assert running.stdout is not None
    running.stdout.read(10)
    running.stdout.close()
    assert running.stderr is not None
    stderr = running.stderr.read()
    running.stderr.close()

    assert running.wait(20) == 141
    assert stderr == b""
