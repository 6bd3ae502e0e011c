"""submit, list, show, logs, artifacts, wait, cancel, retry, flow."""

import re

from cli.conftest import Shell

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")


def test_submit_prints_the_id_and_nothing_else_on_stdout(rota: Shell) -> None:
    done = rota("submit", "--", "true")

    assert done.returncode == 0
    assert ID.fullmatch(done.stdout)
    assert rota("submit", "-q", "--", "true").stderr == ""


def test_wait_has_the_job_s_code_and_for_several_whether_all_succeeded(rota: Shell) -> None:
    good, bad = rota("submit", "--", "true").stdout.strip(), rota("submit", "--", "sh", "-c", "exit 9").stdout.strip()

    assert rota("wait", bad).returncode == 9
    assert rota("wait", good).returncode == 0
    assert rota("wait", good, bad).returncode == 1
    assert rota("wait", good, good).returncode == 0
    assert [job["id"] for job in rota.json("wait", good, bad)["jobs"]] == [good, bad]


def test_wait_that_is_over_is_123_and_the_job_goes_on(rota: Shell) -> None:
    rota("submit", "--", "sleep", "60")
    done = rota("wait", "--timeout", "0.3", "last")

    assert done.returncode == 123
    assert "go on" in done.stderr
    assert rota("cancel", "last").returncode == 0


def test_an_id_may_be_a_prefix_last_or_an_address(rota: Shell) -> None:
    job = rota("submit", "--", "true").stdout.strip()
    rota("wait", job)

    for spelling in ("last", job[:-2], job.upper(), f"http://127.0.0.1:1/jobs/{job}#log"):
        assert rota.json("show", spelling)["id"] == job, spelling


def test_an_id_that_means_several_or_none_is_told(rota: Shell) -> None:
    ids = [rota("submit", "-q", "--", "true").stdout.strip() for _ in range(2)]
    several = rota("show", ids[0][:2])

    assert several.returncode == 2
    assert ids[0] in several.stderr
    assert rota("show", "ffffffff").returncode == 3
    assert rota("show", "a/b").returncode == 2
    assert rota("show", "no-such-job").returncode == 3


def test_logs_are_whole_and_follow_to_the_end(rota: Shell) -> None:
    rota("submit", "--", "sh", "-c", "echo one; sleep 0.5; echo two")
    followed = rota("logs", "-f", "last")

    assert (followed.returncode, followed.stdout) == (0, "one\ntwo\n")
    assert rota("logs", "last").stdout == "one\ntwo\n"


def test_retry_shows_the_new_attempt_and_the_log_of_each_is_kept(rota: Shell) -> None:
    rota("run", "--", "sh", "-c", "echo hello; exit 5")
    again = rota("retry", "last")

    assert (again.returncode, again.stdout) == (5, "hello\n")
    assert len(rota.json("show", "last")["attempts"]) == 2
    assert rota("logs", "--attempt", "1", "last").stdout == "hello\n"
    assert rota("logs", "--attempt", "9", "last").returncode == 3


def test_retry_of_a_job_that_goes_on_is_refused(rota: Shell) -> None:
    rota("submit", "--require", "no=such", "--", "true")
    done = rota("retry", "last")

    assert done.returncode == 125
    assert "rota:" in done.stderr
    rota("cancel", "last")


def test_list_filters_and_prints_the_api_s_shape(rota: Shell) -> None:
    for name in ("first", "second"):
        rota("run", "--name", name, "--tag", "suite=list", "--", "sh", "-c", "exit 1" if name == "first" else "true")
    jobs = rota.json("list", "--tag", "suite=list")["jobs"]

    assert [job["spec"]["name"] for job in jobs] == ["second", "first"]
    assert rota("list", "-q", "--name", "first", "--since", "1h").stdout.split() == [jobs[1]["id"]]
    assert rota("list", "-q", "--tag", "suite=list", "--limit", "1").stdout.split() == [jobs[0]["id"]]
    assert rota("list", "--name", "none of this name").stdout == ""
    assert rota("list", "--since", "yesterday").returncode == 2


def test_a_table_in_a_pipe_is_cut_nowhere_and_bears_no_colour(rota: Shell) -> None:
    rota("run", "--name", "n" * 200, "--", "true")
    lines = rota("list", "--limit", "1").stdout.splitlines()

    assert lines[0].split() == ["ID", "STATE", "AGE", "EXIT", "ENVIRONMENT", "WHAT"]
    assert lines[1].endswith("n" * 200)
    assert "\x1b" not in lines[1]


def test_a_table_on_a_narrow_terminal_keeps_id_and_state_whole(rota: Shell) -> None:
    job = rota("run", "-d", "--name", "n" * 200, "--", "true").stdout.strip()
    rota("wait", job)
    session = rota.terminal("list", "--limit", "1", COLUMNS="90")

    assert session.ends() == 0
    [line] = [line for line in session.shown.splitlines() if job in line]
    assert "n…" in line
    assert re.search(r"✓ (succeeded|finished)", line)


def test_show_tells_all_of_a_job(rota: Shell) -> None:
    rota("run", "--tag", "a=b", "--artifact", "f", "--", "sh", "-c", "echo 1 > f; echo '[1]' > $ROTA_RESULT; exit 2")
    shown = rota("show", "last").stdout

    for words in ("failed", "exit 2", "a=b", "value        [1]", "attempt 1", "artifact     f  2 B"):
        assert words in shown


def test_what_a_job_is_called_cannot_speak_to_the_terminal(rota: Shell) -> None:
    rota("submit", "--require", "no=such", "--name", "x\x1b]0;y\x07z\n", "--", "true")

    assert "\x1b" not in rota("show", "last").stdout
    assert "xz" in rota("list", "--limit", "1").stdout
    rota("cancel", "last")


def test_artifacts_are_listed_and_fetched(rota: Shell) -> None:
    rota("run", "--artifact", "out/**", "--", "sh", "-c", "mkdir -p out/a; echo 1 > out/a/b; echo 2 > out/c")

    assert rota("artifacts", "-q", "last").stdout.split() == ["out/a/b", "out/c"]
    assert rota.json("artifacts", "last")["artifacts"][1]["size_bytes"] == 2
    assert rota("artifacts", "get", "last", "out/a/b", "-D", "one").stdout == "one/b\n"
    assert rota("artifacts", "get", "last", "-D", "all").stdout.split() == ["all/out/a/b", "all/out/c"]
    assert (rota.folder / "all/out/c").read_text() == "2\n"
    assert rota("artifacts", "get", "last", "nothing").returncode == 3


def test_flow_is_drawn_and_given_in_every_format(rota: Shell) -> None:
    rota("run", "--", "sh", "-c", "exit 3")
    drawn = rota("flow", "last").stdout

    for name in (
        "getJob",
        "returnJobForWorker",
        "status: Working",
        "Execute Job",
        "jobFinishedReceived",
        "verdict: failed",
    ):
        assert name in drawn
    assert rota("flow", "--format", "plantuml", "last").stdout.startswith("@startuml\n")
    assert rota("flow", "--format", "mermaid", "last").stdout.startswith("sequenceDiagram\n")
    assert rota.json("flow", "last")["messages"][0]["name"] == "getJob"


def test_cancel_of_a_waiting_job_is_at_once_and_of_an_ended_one_refused(rota: Shell) -> None:
    rota("submit", "--require", "no=such", "--", "true")

    assert rota.json("cancel", "last")["state"] == "cancelled"
    assert rota("wait", "last").returncode == 121
    assert rota("cancel", "last").returncode == 125


def test_why_tells_what_a_job_waits_for(rota: Shell) -> None:
    job = rota("submit", "--require", "gpu=none-such", "--", "true").stdout.strip()

    told = rota("why", job).stdout

    assert job in told
    assert "queued" in told
    assert "no worker has gpu=none-such" in told
    assert [one["code"] for one in rota.json("explain", job)["reasons"]] == ["no_worker", "place"]
    assert rota("cancel", job).returncode == 0
    assert "nothing holds it back" in rota("why", job).stderr
    assert rota("why", "0192f3a1-0000-7000-8000-000000000000").returncode == 3
