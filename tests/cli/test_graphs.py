"""Needs, arrays and groups on the command line."""

import json
from pathlib import Path

import pytest

from cli.conftest import Shell


def test_an_array_is_run_and_waited_for_as_one(rota: Shell) -> None:
    done = rota("run", "--array", "1-3", "--max-parallel", "2", "--name", "sweep", "--", "sh", "-c", "exit 0")

    assert (done.returncode, done.stdout) == (0, "")
    assert "3 parts" in done.stderr
    assert "all 3 parts succeeded" in done.stderr
    assert rota("wait", "last").returncode == 0


def test_an_array_of_which_a_part_fails_is_1_and_its_failed_parts_can_be_run_again(rota: Shell, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f'test "$ROTA_ARRAY_INDEX" != 1 || test -e {mark}'
    done = rota("run", "--array", "3", "--", "sh", "-c", script)

    assert done.returncode == 1
    assert "3 of 3 done, 1 failed" in done.stderr
    shown = rota("show", "last").stdout
    assert "parts        3 of 3 done, 1 failed" in shown
    assert [line.split()[-3:] for line in shown.splitlines() if line.startswith("part ")] == [["#1", "exit", "1"]]
    mark.touch()
    assert rota("retry", "--failed", "last").returncode == 0
    assert rota.json("show", "last")["parts"]["succeeded"] == 3


def test_a_list_shows_an_array_on_one_line_unless_its_parts_are_asked_for(rota: Shell) -> None:
    rota("run", "--matrix", "os=linux,mac", "--matrix", "v=1,2", "--exclude", "os=mac,v=1", "--", "true")
    array = rota.json("show", "last")["id"]

    table = rota("list", "-n", "1").stdout
    assert "[3 of 3 done]" in table
    parts = rota("list", "--parent", "last").stdout
    assert [line.split("#")[1].split() for line in parts.splitlines()[1:]] == [
        ["2", "os=mac", "v=2"],
        ["1", "os=linux", "v=2"],
        ["0", "os=linux", "v=1"],
    ]
    assert rota("list", "-q", "-n", "1").stdout.strip() == array
    assert rota("list", "-q", "--parts", "-n", "1").stdout.strip() != array


def test_a_job_runs_after_another_with_what_that_one_made(rota: Shell) -> None:
    script = 'mkdir out; echo made > out/x; echo 7 > "$ROTA_RESULT"'
    maker = rota("submit", "--artifact", "out/**", "--", "sh", "-c", script).stdout.strip()

    done = rota(
        "run", "--after", maker, "--input-from", f"{maker}:out/x:in", "--result-from", f"{maker}:v", "--",
        "sh", "-c", "cat in v",
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "made\n7\n")


def test_a_job_that_waits_in_vain_is_121_with_the_reason(rota: Shell) -> None:
    failing = rota("submit", "--name", "bad", "--", "false").stdout.strip()
    done = rota("run", "--after", "last", "--", "true")

    assert done.returncode == 121
    assert f"It needs job {failing} (bad) to have succeeded, which failed." in done.stderr
    assert rota("run", "--after", f"{failing}:failed", "--", "true").returncode == 0
    assert rota("run", "--after", failing, "--on-unmet", "run", "--", "true").returncode == 0


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_a_graph_is_submitted_out_of_a_file(rota: Shell, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"graph.{'toml' if kind == 'toml' else 'json'}"
    specs = [{"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"], "needs": [{"job": "a"}]}]
    toml = '[[jobs]]\nname = "a"\ncommand = ["true"]\n[[jobs]]\nname = "b"\ncommand = ["true"]\nneeds = [{job = "a"}]\n'
    file.write_text(toml if kind == "toml" else json.dumps({"jobs": specs}))

    done = rota("submit", "--file", str(file))

    ids = done.stdout.split()
    assert (done.returncode, len(ids)) == (0, 2)
    assert rota("wait", *ids).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--after", "x:succeded"], "`x:succeded` is not JOB or JOB:END"),
        (["--after", "no-such-job"], "there is no such job: no-such-job"),
        (["--matrix", "os"], "is not AXIS=VALUE,VALUE"),
        (["--matrix", "os=a,,b"], "has an empty value"),
        (["--matrix", "os=a", "--matrix", "os=b"], "the axis `os` is given twice"),
        (["--exclude", "os"], "is not AXIS=VALUE,AXIS=VALUE"),
        (["--array", "0"], "array: is 1 to 10000"),
        (["--array", "2-1"], "`2-1` is no index"),
        (["--array", "99999999"], "array: is 1 to 10000"),
        (["--max-parallel", "2"], "is for an `array` or a `matrix` alone"),
        (["--rate", "1/s"], "name one"),
        (["--group", "g", "--rate", "fast"], "is not N/TIME"),
        (["--group", "g", "--rate", "0/s"], "concurrency.rate.count"),
        (["--input-from", "x"], "is not JOB:PATH or JOB:PATH:DEST"),
        (["--result-from", "x:y:z"], "is not JOB:DEST"),
        (["--on-unmet", "run"], "on_unmet"),
        (["--file", "graph.json"], "leave a command out"),
    ],
    ids=str,
)
def test_what_cannot_be_is_a_usage_error_in_words(rota: Shell, arguments: list[str], said: str) -> None:
    before = rota("list", "-q").stdout

    done = rota("submit", *arguments, "--", "true")

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert rota("list", "-q").stdout == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("3", "holds neither a spec nor"),
        ("[]", "is no list of specs"),
        ('{"jobs": [1]}', "is no list of specs"),
        ('{"jobs": [{"command": ["a"]}], "name": "x"}', "`name` stands beside `jobs`"),
        ('{"jobs": [{"comand": ["a"]}]}', "jobs[0].comand: is not a field of this request"),
        ('{"comand": ["a"]}', "comand: is not a field of this request"),
    ],
    ids=lambda text: text[:40],
)
def test_a_file_that_holds_no_specs_is_a_usage_error_in_words(
    rota: Shell, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "graph.json"
    file.write_text(text)

    done = rota("submit", "--file", str(file))

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
