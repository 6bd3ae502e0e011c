"""What goes wrong is told in two lines: what, and what to do; the code says whose fault it was."""

import fcntl
import json
from pathlib import Path

import pytest

from cli.conftest import Shell
from house import free_port


def test_no_server_known_is_125_and_says_how_to_get_one(nobody: Shell) -> None:
    done = nobody("run", "--", "true")

    assert done.returncode == 125
    assert "rota dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_125_in_the_time_given(nobody: Shell) -> None:
    done = nobody("--request-timeout", "0.2", "list", "--server", f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 125
    assert "cannot be reached" in done.stderr


def test_a_token_that_is_none_is_4(rota: Shell) -> None:
    done = rota("list", "--token", "rota_wrong")

    assert done.returncode == 4
    assert "ROTA_TOKEN" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--script", "x", "--", "true"],
        ["run", "--script", "missing"],
        ["run", "--env", "NOT_SET_ANYWHERE", "--", "true"],
        ["run", "--require", "nonsense", "--", "true"],
        ["run", "--timeout", "soon", "--", "true"],
        ["run", "--input", "missing", "--", "true"],
        ["run", "--input", "empty", "--", "true"],
        ["run", "--priority", "101", "--", "true"],
        ["logs"],
        ["list", "--state", "gone"],
        ["worker", "--server", "nonsense"],
        ["server", "--data", "x", "--listen", "7682"],
        ["server", "--data", "x", "--database", "oracle://"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_meant_is_2(rota: Shell, arguments: list[str]) -> None:
    (rota.folder / "empty").mkdir()
    done = rota(*arguments)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("rota: ")
    assert "Traceback" not in done.stderr


def test_what_the_server_finds_wrong_with_a_spec_is_2_and_names_the_field(rota: Shell) -> None:
    done = rota("run", "--json", "--artifact", "/etc/*", "--", "true")

    problem = json.loads(done.stderr)
    assert done.returncode == 2
    assert problem["type"].endswith("/invalid-request")
    assert problem["errors"][0]["field"] == "artifacts[0]"


def test_with_json_an_error_is_a_problem_on_stderr_wherever_json_was_said(rota: Shell) -> None:
    for arguments in (["--json", "show", "no-such"], ["show", "--json", "no-such"]):
        done = rota(*arguments)
        assert (done.returncode, done.stdout) == (3, "")
        problem = json.loads(done.stderr)
        assert (problem["status"], problem["title"]) == (404, "Not found")


def test_with_json_what_no_server_said_has_a_title_in_words_too(nobody: Shell) -> None:
    assert json.loads(nobody("--json", "list").stderr)["title"] == "No server"


def test_debug_tells_where_it_came_from_and_no_other_way_does(rota: Shell) -> None:
    assert "Traceback" in rota("show", "--debug", "no-such").stderr
    assert "Traceback" not in rota("show", "no-such").stderr


def test_a_wrong_word_is_met_with_the_right_one(nobody: Shell) -> None:
    assert "'list'" in nobody("lst").stderr
    assert "--name" in nobody("run", "--nme", "x", "--", "true").stderr


def test_server_and_token_come_from_a_profile_and_from_a_data_folder(rota: Shell, tmp_path: Path) -> None:
    url, token = rota.environ.pop("ROTA_SERVER"), rota.environ.pop("ROTA_TOKEN")
    (tmp_path / "config.toml").write_text(f'[profiles.lab]\nserver = "{url}"\ntoken = "{token}"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/server-url").write_text(url)
    (tmp_path / "data/admin-token").write_text(token)

    assert rota("list").returncode == 125
    assert rota("--profile", "lab", "list", ROTA_CONFIG=str(tmp_path / "config.toml")).returncode == 0
    assert rota("list", ROTA_DATA=str(tmp_path / "data")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["env", "show", "nope"], "`rota env` shows the environments"),
        (["env", "token", "nope"], "`rota env` shows the environments"),
        (["env", "credentials", "nope"], "`rota env` shows the environments"),
        (["env", "revoke", "default", "nope"], "`rota env credentials NAME`"),
        (["logs", "--attempt", "9", "last"], "`rota show ID` shows a job's attempts"),
        (["artifacts", "get", "last", "nope"], "`rota artifacts ID` lists"),
        (["show", "nope"], "`rota list` shows the jobs"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_is_not_there_is_answered_with_where_such_things_are_listed(
    rota: Shell, arguments: list[str], hint: str
) -> None:
    rota("run", "--", "true")
    done = rota(*arguments)

    assert done.returncode == 3
    assert hint in done.stderr


def test_inputs_that_are_too_large_are_refused_with_what_to_do(rota: Shell) -> None:
    with (rota.folder / "large").open("wb") as large:
        large.truncate(60_000_000)
    done = rota("submit", "--input", "large", "--", "true")

    assert done.returncode == 125
    assert "about 48 MiB" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_work_folder_in_use_is_125(rota: Shell) -> None:
    folder = rota.folder / "work"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        done = rota("worker", "--work-dir", str(folder), "--token", "t")

    assert done.returncode == 125
    assert "another worker uses" in done.stderr


def test_a_path_with_a_colon_that_is_refused_has_it_named(rota: Shell) -> None:
    (rota.folder / "C:drive").touch()
    done = rota("submit", "--input", "C:drive", "--", "true")

    assert done.returncode == 2
    assert "begins with `C:`" in done.stderr
