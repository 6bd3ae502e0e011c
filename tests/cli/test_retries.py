"""`--retries` and what goes with it, as a person types and reads it. Source: docs/how-to/retries.md."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Shell, variables
from house import Server, Worker, free_port
from rota.cli.retry_options import codes_of, retry_of


def test_each_try_is_shown_with_what_lies_between(rota: Shell) -> None:
    done = rota("run", "--retries", "2", "--backoff", "0.1s", "--", "sh", "-c", "echo try $ROTA_ATTEMPT; exit 75")

    assert (done.returncode, done.stdout) == (75, "try 1\ntry 2\ntry 3\n")
    assert re.sub(r"after .* s \(", "(", done.stderr).splitlines() == [
        "  exit 75, try 1 of 3, again in 0.1 s",
        "  attempt 2 begins",
        "  exit 75, try 2 of 3, again in 0.2 s",
        "  attempt 3 begins",
        "  ✗ exit 75 (3 of 3 tries used)      again: rota retry last      what happened: rota flow last",
    ]


def test_a_try_that_succeeds_is_the_last_and_its_code_is_the_jobs(rota: Shell) -> None:
    done = rota("run", "--retries", "5", "--", "sh", "-c", "echo $ROTA_ATTEMPT; test $ROTA_ATTEMPT = 2")

    assert (done.returncode, done.stdout) == (0, "1\n2\n")
    shown = rota("show", "last").stdout
    assert re.search(r"^why +try 2 succeeded$", shown, re.MULTILINE)
    assert re.search(r"^attempt 1 .*  exit 1$", shown, re.MULTILINE)


def test_retry_shows_the_tries_that_follow_and_none_of_those_before(rota: Shell) -> None:
    rota("run", "--retries", "1", "--", "sh", "-c", "echo $ROTA_ATTEMPT; exit 1")

    again = rota("retry", "last")

    assert (again.returncode, again.stdout) == (1, "3\n4\n")


def test_an_end_that_is_not_named_is_the_last(rota: Shell) -> None:
    done = rota("run", "--retries", "5", "--retry-on", "exit=75,timeout", "--", "sh", "-c", "exit 4")

    assert done.returncode == 4
    assert "try 1 of 6: no rule of its `retry.on` matches" in done.stderr


def test_another_success_exits_with_the_commands_code_and_is_marked_as_good(rota: Shell) -> None:
    done = rota("run", "--success-exit", "3,10-12", "--", "sh", "-c", "exit 11")

    assert done.returncode == 11
    assert done.stderr.startswith("  ✓ exit 11 after ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--retry-on", "exit=3"], "--retries N says how often"),
        (["--backoff", "3s"], "--retries N says how often"),
        (["--retries", "1", "--retry-on", "exit"], "`exit` is no end. Write one of: exit=75"),
        (["--retries", "1", "--retry-on", "exit=3,nothing"], "`nothing` is no end"),
        (["--retries", "1", "--retry-on", "refused"], "is offered again in any case"),
        (["--retries", "1", "--retry-on", "exit=9-3"], "write 3-9"),
        (["--retries", "1", "--retry-on", "signal=KILL"], "write SIGKILL"),
        (["--retries", "1", "--retry-on", "log=(?=x)"], "looks ahead or behind"),
        (["--retries", "5000"], "5000"),
        (["--success-exit", "none"], "`none` is no range of exit codes"),
        (["--policy", "nobodys"], "the scheduler knows no policy `nobodys`"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_two_lines(rota: Shell, options: list[str], words: str) -> None:
    done = rota("run", *options, "--", "true")

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_ends_of_one_kind_are_one_rule_and_each_pattern_is_its_own() -> None:
    retry = retry_of(2, ["exit=75,exit=100-120,oom", "lost,log=a,b", "log=c", "not-started"], 5.0)

    assert retry == {
        "max_attempts": 3,
        "on": [
            {"exit_codes": [75, "100-120"]}, {"reasons": ["out_of_memory", "lost", "not_started"]},
            {"log": "a,b"}, {"log": "c"},
        ],
        "backoff": {"initial_s": 5.0},
    }  # fmt: skip
    assert codes_of(["0, 3", "10-19", "-1"]) == [0, 3, "10-19", -1]
    assert retry_of(None, [], None) is None


class Alone:
    """A server whose scheduler is another process, which is not there."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder / "data", ["jobs", "gateway", "registry"], free_port())
        self.worker = Worker(self.server.url, self.server.token("enrolment"), folder / "w", 2)
        self.shell = Shell(
            variables(folder, ROTA_SERVER=self.server.url, ROTA_TOKEN=self.server.admin_token), folder
        )  # fmt: skip
        self.schedulers: list[Server] = []

    def scheduler(self, folder: Path) -> None:
        """Here it is."""
        token = (self.server.data / "service-token").read_text().strip()
        urls = {"ROTA_JOBS_URL": self.server.url, "ROTA_SERVICE_TOKEN": token}
        self.schedulers.append(Server(folder / "scheduler", ["scheduler"], None, **urls))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    made = Alone(tmp_path)
    yield made
    made.worker.stop()
    for server in (*made.schedulers, made.server):
        server.stop()


def test_while_no_scheduler_says_what_follows_it_is_told_that_it_is_waited_for(alone: Alone, tmp_path: Path) -> None:
    command = ("run", "--retries", "1", "--", "sh", "-c", "echo $ROTA_ATTEMPT; exit 3")
    with alone.shell.start(*command) as running:
        assert running.stderr is not None
        assert running.stdout is not None

        line = running.stderr.readline().decode()
        assert line == "  waits for the scheduler's word on what follows\n"
        assert "waits for the scheduler's word on what follows" in alone.shell("show", "last").stdout
        alone.scheduler(tmp_path)

        assert running.wait(30) == 3
        assert running.stdout.read() == b"1\n2\n"
        assert "2 of 2 tries used" in running.stderr.read().decode()


def test_without_a_retry_nobody_waits_for_the_scheduler(alone: Alone) -> None:
    done = alone.shell("run", "--", "sh", "-c", "exit 3")

    assert done.returncode == 3
    assert "scheduler" not in done.stderr


def test_ctrl_c_between_two_tries_leaves_the_job(rota: Shell) -> None:
    with rota.start("run", "--retries", "1", "--backoff", "60s", "--", "false") as running:
        assert running.stderr is not None
        assert "again in 60 s" in running.stderr.readline().decode()

        os.kill(running.pid, signal.SIGINT)

        assert running.wait(20) == 130
        assert "left running" in running.stderr.read().decode()
    assert rota("cancel", "last").returncode == 0
