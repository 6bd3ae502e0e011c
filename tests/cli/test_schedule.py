"""schedule: create, list, show, next, edit, pause, resume, run, rm; and when a job may start and must have ended."""

import re

from cli.conftest import Shell
from waiting import until


def test_a_schedule_is_made_shown_run_paused_and_deleted(rota: Shell) -> None:
    made = rota(
        "schedule", "create", "nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--", "echo", "hi"
    )
    assert made.returncode == 0, made.stderr
    assert re.search(r"next +\d{4}-\d\d-\d\d 02:30 \+0[12]:00", made.stdout)

    table = rota("schedule").stdout
    assert "30 2 * * * Europe/Berlin" in table
    assert rota("schedules", "-q").stdout.split() == ["nightly"]
    shown = rota.json("schedule", "show", "nightly")
    assert (shown["cron"], shown["spec"]["command"]) == ("30 2 * * *", ["echo", "hi"])
    assert len(rota("schedule", "next", "nightly", "-n", "3").stdout.splitlines()) == 3
    assert rota.json("schedule", "next", "nightly", "-n", "1")["times"] == [shown["next_at"]]

    job = rota("schedule", "run", "nightly").stdout.strip()
    assert rota("wait", job).returncode == 0
    assert rota("list", "-q", "--schedule", "nightly").stdout.split() == [job]
    assert "nightly, run by hand" in rota("show", job).stdout
    until(lambda: "succeeded" in rota("schedule", "show", "nightly").stdout)

    assert rota.json("schedule", "edit", "nightly", "--every", "1h", "--overlap", "queue")["every_s"] == 3600
    assert rota("schedule", "edit", "nightly", "--", "echo", "ho").returncode == 0
    assert rota.json("schedule", "show", "nightly")["spec"]["command"] == ["echo", "ho"]
    assert rota.json("schedule", "pause", "nightly")["paused"]
    assert "paused" in rota("schedule", "list").stdout
    assert rota.json("schedule", "resume", "nightly")["next_at"]
    assert rota("schedule", "rm", "nightly").returncode == 0
    gone = rota("schedule", "show", "nightly")
    assert (gone.returncode, "`rota schedule` shows" in gone.stderr) == (3, True)


def test_times_of_an_expression_can_be_looked_at_without_a_schedule(rota: Shell) -> None:
    shown = rota("schedule", "next", "--cron", "0 9 * * MON-FRI", "--timezone", "Europe/Berlin", "-n", "7")

    assert [line[11:16] for line in shown.stdout.splitlines()] == ["09:00"] * 7


def test_what_could_not_work_is_said_in_two_lines(rota: Shell) -> None:
    for words, said in (
        (["create", "bad", "--cron", "0 0 30 2 *", "--", "true"], "never comes"),
        (["create", "bad", "--cron", "* * * * * *", "--", "true"], "every_s"),
        (["create", "bad", "--", "true"], "exactly one of"),
        (["create", "bad", "--every", "100ms", "--", "true"], "at least 1"),
        (["create", "bad", "--every", "soon", "--", "true"], "no duration"),
        (["create", "bad", "--every", "5s"], "--script"),
        (["create", "a b", "--every", "5s", "--", "true"], "name"),
        (["create", "bad", "--cron", "@daily", "--timezone", "Europe/Berln", "--", "true"], "`Europe/Berlin`"),
        (["create", "bad", "--every", "5s", "--not-before", "2h", "--", "true"], "not_before"),
        (["next", "--cron", "61 * * * *"], "its minute"),
        (["next", "--cron", "@daily", "--timezone", "Mars"], "no time zone"),
        (["next"], "NAME, or --cron"),
        (["edit", "bad"], "otherwise"),
    ):
        done = rota("schedule", *words)
        assert done.returncode == 2, (words, done.stderr)
        assert said in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr
    for verb in ("show", "pause", "resume", "run", "rm", "next"):
        assert rota("schedule", verb, "no-such").returncode == 3
    assert rota.json("schedule")["schedules"] == []


def test_a_job_may_start_at_a_time_and_must_have_ended_by_another(rota: Shell) -> None:
    job = rota.json("show", rota("submit", "--not-before", "1h", "--deadline", "2h", "--", "true").stdout.strip())

    assert job["state"] == "waiting"
    assert job["spec"]["not_before"] < job["spec"]["deadline"]
    late = rota("run", "--deadline", "1s", "--", "sleep", "60")
    assert (late.returncode, "It had not ended by its deadline" in late.stderr) == (121, True)
    assert rota("submit", "--deadline", "2020-01-01T00:00:00Z", "--", "true").returncode == 2
    assert rota("submit", "--not-before", "tomorrow", "--", "true").returncode == 2
    rota("cancel", job["id"])
