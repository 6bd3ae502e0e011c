"""Where a worker's enrolment token comes from: a variable, a file, stdin; a command line is seen by others."""

import subprocess
from pathlib import Path

import pytest

from cli.conftest import Shell
from house import Server
from waiting import until


@pytest.mark.parametrize("source", ["variable", "file", "stdin"])
def test_a_worker_comes_with_a_token_that_its_command_line_does_not_show(
    rota: Shell, server: Server, tmp_path: Path, source: str
) -> None:
    token = server.token("enrolment", "quick")
    (tmp_path / "token").write_text(f"{token}\n")
    words = {"variable": [], "file": ["--token-file", "token"], "stdin": ["--token-file", "-"]}[source]
    name = f"by-{source}"
    environ = {**rota.environ, "ROTA_TOKEN": token if source == "variable" else ""}
    with (tmp_path / "token").open() as stdin:
        worker = subprocess.Popen(
            rota.command("worker", "--server", server.url, "--name", name, "--work-dir", "work", *words),
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path, env=environ,
        )  # fmt: skip
    try:
        until(lambda: [one for one in rota.json("workers")["workers"] if one["name"] == name])
    finally:
        worker.terminate()
        worker.wait(20)


@pytest.mark.parametrize(
    "words",
    [
        ["--token-file", "missing"],
        ["--token-file", "-"],
        ["--token-file", "."],
        ["--token", "a", "--token-file", "b"],
        ["--token", "é"],
        ["--server", "http://[::1"],
        ["--server", "http://127.0.0.1:99999"],
    ],
    ids=ascii,
)
def test_what_is_no_token_and_no_address_is_2(nobody: Shell, words: list[str]) -> None:
    done = nobody("worker", "--server", "http://127.0.0.1:1", *words)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert done.stderr.startswith("rota: ")
