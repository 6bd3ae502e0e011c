"""`rota top` on a terminal, into a pipe, and as JSON."""

import re

import pytest

from cli.conftest import Shell
from cli.terminal_session import TerminalSession
from rota.cli.top import rows_for, sparks


def test_into_a_pipe_it_says_once_what_it_sees(rota: Shell) -> None:
    assert rota("run", "--name", "seen by top", "--", "true").returncode == 0

    done = rota("top")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^Workers \d+", done.stdout, re.MULTILINE)
    assert re.search(r"^Running \d+", done.stdout, re.MULTILINE)
    assert re.search(r"^Queued \d+", done.stdout, re.MULTILINE)
    assert "last hour" in done.stdout
    assert "\x1b" not in done.stdout


def test_as_json_it_is_what_the_api_says(rota: Shell) -> None:
    told = rota.json("top")

    assert set(told) == {"overview", "workers", "running", "queued"}
    assert told["overview"]["window_s"] == 3600


def test_on_a_terminal_a_job_comes_and_goes_until_ctrl_c(rota: Shell) -> None:
    session = TerminalSession(
        ["top", "--every", "0.2s"], {**rota.environ, "TERM": "xterm", "LINES": "40", "COLUMNS": "120"}
    )
    session.until("Queued")

    job = rota("submit", "--name", "comes-and-goes", "--require", "no=such", "--", "true").stdout.strip()
    session.until("comes-and-goes")
    rota("cancel", job)
    session.type("\x03")

    assert session.ends() == 0
    assert session.shown.endswith("\x1b[?25h") or "\x1b[?1049l" in session.shown  # the screen is as it was


def test_a_hostile_name_moves_no_cursor(rota: Shell) -> None:
    job = rota("submit", "--name", "a[bold]\x1b[2Jb", "--require", "no=such", "--", "true").stdout.strip()

    shown = rota("top").stdout
    rota("cancel", job)

    assert "\x1b" not in shown
    assert "a[bold]" in shown


@pytest.mark.parametrize(("values", "drawn"), [([], ""), ([0, 0], "▁▁"), ([0, 4, 8], "▁▅█")])
def test_the_bars_are_as_high_as_the_values(values: list[int], drawn: str) -> None:
    assert sparks(values) == drawn


@pytest.mark.parametrize("height", [5, 24, 60])
def test_three_tables_fit_on_the_screen(height: int) -> None:
    assert rows_for(height) >= 1
    assert 3 * rows_for(height) + 12 <= max(height, 15)
