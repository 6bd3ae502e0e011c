"""Tables and names on terminals of any width, and in pipes."""

import re
from pathlib import Path

import pytest

from cli.conftest import Shell
from rota.cli.output import fitted
from rota.protocol.status import WorkerStatus

LONG = "a-name-that-is-longer-than-many-a-terminal-is-wide-" * 2


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_terminal_cuts_no_id_and_no_state(rota: Shell, columns: int) -> None:
    job_id = rota("submit", "-q", "--name", LONG, "--", "true").stdout.strip()
    rota("wait", job_id)
    session = rota.terminal("list", COLUMNS=str(columns), NO_COLOR="1")

    assert session.ends() == 0
    [line] = [line for line in session.shown.splitlines() if line.startswith(job_id)]
    assert "✓ succeeded" in line
    assert "…" in line
    assert LONG not in line


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_a_narrow_terminal_cuts_no_worker_s_name_status_or_id(rota: Shell, columns: int) -> None:
    session = rota.terminal("workers", COLUMNS=str(columns), NO_COLOR="1")

    assert session.ends() == 0
    lines = {worker["name"]: worker["worker_id"] for worker in rota.json("workers")["workers"]}
    status = "|".join(WorkerStatus)  # whoever other tests have left there
    for name, worker_id in lines.items():
        assert re.search(rf"^{name} +. ({status}) .*{worker_id}", session.shown, re.MULTILINE)


def test_a_wide_enough_terminal_cuts_nothing() -> None:
    assert fitted(["ID", "WHAT"], [36, 30], 68) == [36, 30]
    assert fitted(["ID", "WHAT"], [36, 30], 60) == [36, 22]
    assert fitted(["ID", "WHAT"], [36, 30], 20) == [36, 4]


def test_a_file_s_name_is_raw_in_a_pipe_and_quoted_on_a_terminal(rota: Shell, tmp_path: Path) -> None:
    name = "two\nlines\u202e"
    rota("run", "--artifact", "*", "--", "touch", name)

    piped = rota("artifacts", "-q", "last").stdout
    fetched = rota("artifacts", "get", "last", "-D", "to").stdout
    session = rota.terminal("artifacts", "-q", "last", HOME=str(tmp_path))

    assert piped == f"{name}\n"
    assert Path(tmp_path, fetched.removesuffix("\n")).is_file()
    assert session.ends() == 0
    assert session.shown.strip() == r"$'two\nlines\u202e'"


def test_a_reader_that_leaves_ends_a_followed_log_in_silence(rota: Shell) -> None:
    job_id = rota("submit", "-q", "--", "sh", "-c", "while :; do echo line; sleep 0.05; done").stdout.strip()
    try:
        with rota.start("logs", "-f", job_id) as command:
            assert command.stdout is not None
            assert command.stderr is not None
            assert command.stdout.readline() == b"line\n"
            command.stdout.close()
            said = command.stderr.read()
            code = command.wait(10)
    finally:
        rota("cancel", job_id)

    assert (code, said) == (141, b"")


def test_an_input_as_command_that_may_not_be_executed_is_told_with_what_to_do(rota: Shell) -> None:
    (rota.folder / "build.sh").write_text("echo built")
    done = rota("run", "--input", "build.sh", "--", "./build.sh")
    told = rota("run", "--input", "build.sh", "--", "sh", "build.sh")

    assert done.returncode == 126
    assert "rota run --input build.sh -- sh build.sh" in done.stderr
    assert (told.returncode, told.stdout) == (0, "built\n")
    assert "executable" not in told.stderr
