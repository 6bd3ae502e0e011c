"""What goes wrong is told in two lines: what, and what to do; the code says whose fault it was."""

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
        assert json.loads(done.stderr)["status"] == 404


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
